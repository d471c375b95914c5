"""Guard: how much faster the optimised path is than the official arithmetic, both in one process, in turn.

    python benchmarks/compare.py                  # a minute; --depth 12 --steps 10 are the sizes of docs/performance.md

The official arithmetic is tests/helpers/plain.py, to which the tests hold the optimised path in values and gradients.
A ratio below its floor, a share of what the operations of both paths predict, is reported and makes the exit status 1.
Times are CPU seconds of this process, medians of rounds: they hold beside other work.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/helpers")]

from plain import PlainBackbone  # noqa: E402

from vosr.backbones import LightningDiT  # noqa: E402
from vosr.core.types import Condition  # noqa: E402
from vosr.flow import integrate, time_grid  # noqa: E402
from vosr.guidance import RestorationGuidance  # noqa: E402
from vosr.model import velocity_field  # noqa: E402
from vosr.objectives import RCGM, FlowMatching  # noqa: E402

FLOORS = {"teacher": 0.98, "rcgm": 0.98, "sampling": 0.92, "one step": 0.95}
"""Shares of the ratio by operation count below which something got slower; somewhat under what was measured."""
BATCH, CHANNELS, SIDE, TOKENS, SEMANTIC_DIM, WIDTH, HEADS = 4, 4, 32, 1024, 384, 384, 6
BACKBONE_TOKENS = (SIDE // 2) ** 2


class Case:
    """One workload on either path.

    Args:
        depth: blocks.
        steps: of guided sampling.
    """

    def __init__(self, depth: int, steps: int) -> None:
        torch.manual_seed(0)
        sizes = {"width": WIDTH, "depth": depth, "heads": HEADS, "latent_grid": SIDE}
        self.teacher = LightningDiT(CHANNELS, SEMANTIC_DIM, **sizes)
        self.student = LightningDiT(CHANNELS, SEMANTIC_DIM, end_time=True, **sizes)
        for model in (self.teacher, self.student):
            torch.nn.init.normal_(model.final_layer.linear.weight, std=0.02)
        self.noise, self.data, lq = torch.randn(3, BATCH, CHANNELS, SIDE, SIDE)
        self.condition = Condition(lq, torch.randn(BATCH, TOKENS, SEMANTIC_DIM))
        self.guidance, self.steps = RestorationGuidance(), steps

    def run(self, name: str, plain: bool) -> None:
        """Do the work once."""
        wrap = PlainBackbone if plain else (lambda model: model)
        teacher, student = wrap(self.teacher), wrap(self.student)
        {"teacher": self._teach, "rcgm": self._distil, "sampling": self._sample, "one step": self._restore}[
            name
        ](teacher, student)

    def _teach(self, teacher, student) -> None:
        objective = FlowMatching()
        draw = objective.draw(self.data)
        objective.loss(lambda z, t: teacher.velocity(z, t, self.condition), self.data, draw).total.backward()

    def _distil(self, teacher, student) -> None:
        objective = RCGM()
        guided = self._guided(teacher)
        condition = student.prepared(self.condition)
        loss = objective.loss(
            lambda z, t, r: student.velocity(z, t, condition.repeat(len(z) // BATCH), r),
            lambda z, t: guided(z, t, t),
            self.data,
            objective.draw(self.data),
        )
        loss.total.backward()

    @torch.no_grad()
    def _guided(self, teacher) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        return velocity_field(teacher, self.guidance, self.condition)

    @torch.no_grad()
    def _sample(self, teacher, student) -> None:
        integrate(self._guided(teacher), self.noise, time_grid(self.steps))

    @torch.no_grad()
    def _restore(self, teacher, student) -> None:
        integrate(velocity_field(student, None, self.condition), self.noise, time_grid(1))


def predicted(name: str, depth: int, steps: int, sizes: tuple[int, int, int, int]) -> float:
    """Ratio by operation count: multiply-adds of the official arithmetic over ours; norms and the like cost nothing.

    Args:
        name: of the workload.
        depth: blocks.
        steps: of guided sampling.
        sizes: backbone width, backbone tokens, semantic tokens, semantic width.
    """
    width, tokens, semantic_tokens, semantic_width = sizes
    hidden = int(2 / 3 * 4 * width)
    kept = semantic_tokens * (3 * semantic_width * width + 3 * width**2 + 2 * depth * width**2)
    cross = depth * tokens * (2 * width**2 + 2 * semantic_tokens * width)
    full = kept + cross + depth * tokens * (4 * width**2 + 2 * tokens * width + 3 * width * hidden)
    guided = (full - kept) + (full - kept - cross)  # one step of both branches, semantics prepared
    if name == "sampling":
        return steps * 2 * full / (steps * guided + kept)
    if name == "rcgm":  # teacher, student's two evaluations forwards and backwards, two without gradient
        return (2 + 6 + 2) * full / (guided + kept + 3 * (2 * (full - kept) + kept) + 2 * (full - kept))
    return 1.0


def measure(case: Case, name: str, rounds: int, autocast: bool) -> tuple[float, float]:
    """Median CPU seconds of the plain and of the optimised path."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(rounds + 1):
        for plain in (True, False):
            start = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                case.run(name, plain)
            if i:  # the first round warms up
                seconds[plain].append(time.process_time() - start)
    return statistics.median(seconds[True]), statistics.median(seconds[False])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="of guided sampling")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=list(FLOORS), choices=FLOORS)
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"])
    options = parser.parse_args()
    case, slower = Case(options.depth, options.steps), []
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, depth {options.depth}")
    for dtype in options.dtype:
        for name in options.only:
            plain, ours = measure(case, name, options.rounds, dtype == "bfloat16")
            by_count = predicted(
                name, options.depth, options.steps, (WIDTH, BACKBONE_TOKENS, TOKENS, SEMANTIC_DIM)
            )
            print(
                f"{dtype:9} {name:9} plain {plain:7.3f} s  optimised {ours:7.3f} s  ratio {plain / ours:5.2f}  "
                f"by operations {by_count:5.2f}"
            )
            floor = FLOORS[name] * by_count
            if plain / ours < floor:
                slower.append(f"{name} in {dtype}: {plain / ours:.2f}, at least {floor:.2f} expected")
    for line in slower:
        print(f"slower: {line}")
    return bool(slower)


if __name__ == "__main__":
    sys.exit(main())
