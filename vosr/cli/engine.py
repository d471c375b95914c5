"""The model behind ``restore``: its options, and how it is opened on a device."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace
from numpy.typing import NDArray

from vosr.core.options import ColorFix, DTypeName, Semantics

if TYPE_CHECKING:
    from vosr.inference import Restorer, Settings

STAGES = ("encode", "semantics", "backbone", "decode", "colour")
DEFAULT_MODEL = "vosr_small_student"


def add_engine_arguments(parser: ArgumentParser) -> None:
    """Options of the model and of how it restores."""
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, help="Shipped name, model or run folder (./NAME), or hub id."
    )
    add_trust_argument(parser)
    parser.add_argument(
        "--companions", type=Path | None, help="Folder with the VAE and DINOv2 of a released model."
    )
    parser.add_argument(
        "--scale", type=float | None, help="Enlargement, at least 1; the trained one if not given."
    )
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"), help="Of the results, instead of --scale."
    )
    parser.add_argument(
        "--steps", type=int | None, help="Evaluations of the model; its own default if not given."
    )
    parser.add_argument("--guidance_scale", type=float | None, help="Teachers: larger is more faithful.")
    parser.add_argument(
        "--partial_strength", type=float | None, help="Teachers: anchor of the partial branch."
    )
    parser.add_argument("--seed", type=int | None, help="Of the noise; made from each image if not given.")
    parser.add_argument(
        "--color_fix", type=ColorFix | None, help="Colour correction; the model's own if not given."
    )
    _add_work_arguments(parser)


def add_trust_argument(parser: ArgumentParser) -> None:
    """The option that lets a model folder name code."""
    parser.add_argument(
        "--trust_remote_code",
        "--trust-remote-code",
        action="store_true",
        help="Import classes that the model's config.json names by dotted paths.",
    )


def _add_work_arguments(parser: ArgumentParser) -> None:
    work = parser.add_argument_group("Memory and speed")
    work.add_argument(
        "--tile",
        type=int | None,
        help="Side of tiles in output pixels; 0 for none; the training size where an image needs tiles.",
    )
    work.add_argument(
        "--semantics", type=Semantics, default="tile", help="What the vision encoder reads for a tile."
    )
    work.add_argument(
        "--memory", type=float | None, help="GiB to work with; half of what is free if not given."
    )
    work.add_argument(
        "--dtype", type=DTypeName, default="auto", help="Of the backbone: float16 on CUDA, float32 elsewhere."
    )
    work.add_argument(
        "--encoder_dtype", type=DTypeName, default="auto", help="Of the vision encoder: as the backbone."
    )
    work.add_argument("--autoencoder_dtype", type=DTypeName, default="auto", help="float32 if not given.")
    work.add_argument("--compile", action="store_true", help="Run the backbone through torch.compile.")


@dataclass(frozen=True)
class EngineRecipe:
    """The options as plain values, which processes can be handed; opened, an engine."""

    model: str = DEFAULT_MODEL
    companions: Path | None = None
    scale: float | None = None
    size: tuple[int, int] | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    partial_strength: float | None = None
    seed: int | None = None
    tile: int | None = None
    color_fix: ColorFix | None = None
    semantics: Semantics = "tile"
    memory: float | None = None
    dtype: DTypeName = "auto"
    encoder_dtype: DTypeName = "auto"
    autoencoder_dtype: DTypeName = "auto"
    compile: bool = False
    trust_remote_code: bool = False

    @classmethod
    def of(cls, options: Namespace) -> "EngineRecipe":
        """From the parsed options of the command line.

        Raises:
            ValueError: scale and size at once.
        """
        values = {field.name: options[field.name] for field in fields(cls)}
        if values["size"] is not None:
            if values["scale"] is not None:
                raise ValueError("Give --scale or --size, not both.")
            values["size"] = tuple(values["size"])
        return cls(**values)

    def open(self, device: str) -> "RestorerEngine":
        """Load the model.

        Raises:
            ValueError: no such model or device, or settings that the model does not have.
        """
        from vosr.inference import Precision, Restorer, Settings  # help and readers do without torch

        precision = Precision(self.dtype, self.encoder_dtype, self.autoencoder_dtype)
        restorer = Restorer.from_pretrained(
            self.model, device, precision, self.companions, self.compile, self.trust_remote_code
        )
        settings = Settings(
            steps=self.steps,
            guidance_scale=self.guidance_scale,
            partial_strength=self.partial_strength,
            tile=self.tile,
            color_fix=self.color_fix,
            semantics=self.semantics,
            memory=self.memory,
        )
        settings.check(restorer.model)
        restorer.output_size(1, 1, self.scale)
        return RestorerEngine(restorer, settings, self)


class RestorerEngine:
    """A :class:`vosr.Restorer` as the pipeline takes it (:class:`vosr.jobs.engine.Engine`)."""

    def __init__(self, restorer: "Restorer", settings: "Settings", recipe: EngineRecipe) -> None:
        self._restorer, self._settings, self._recipe = restorer, settings, recipe

    def watch(self, tell: Callable[[str, int, int], None], timed: bool) -> None:
        """Tell ``tell`` of the stages; keep their times for :meth:`timings`."""
        from vosr.core.phases import clock_of

        engine = self._restorer.engine
        engine.tell = tell
        if timed:
            engine.phases.start(clock_of(engine.device))

    def timings(self) -> dict[str, float]:
        """Seconds by stage since the watch began, in the order of the work."""
        seconds = self._restorer.engine.phases.take()
        return {stage: seconds[stage] for stage in STAGES if stage in seconds}

    @property
    def settings(self) -> dict[str, object]:
        given = asdict(self._recipe)
        scale = self._recipe.scale or self._restorer.model.card.scale
        return given | {
            "companions": None if self._recipe.companions is None else str(self._recipe.companions),
            "scale": scale if self._recipe.size is None else None,
        }

    def size(self, width: int, height: int) -> tuple[int, int]:
        if self._recipe.size is not None:
            return self._recipe.size
        return self._restorer.output_size(width, height, self._recipe.scale)

    def batch(self, images: Sequence[NDArray]) -> list[NDArray]:
        sizes = [self.size(image.shape[1], image.shape[0]) for image in images]
        return self._restorer.restore_batch(
            list(images), sizes, self._settings, [self._recipe.seed] * len(sizes)
        )

    def rows(self, image: NDArray) -> Iterator[NDArray]:
        size = self.size(image.shape[1], image.shape[0])
        return self._restorer.restore_rows(image, size, self._settings, self._recipe.seed)
