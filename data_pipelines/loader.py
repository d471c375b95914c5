"""The training loader: what Lightning iterates over, counts and stores in its checkpoints."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from data_pipelines.failures import BadDataError, Fault, StalledError, Tally
from data_pipelines.sources import Source
from data_pipelines.sources.encoding import StoredEncoding
from data_pipelines.training_data import DataPlan, Delivery, TrainingData
from data_pipelines.workers import deaths_raise, failure, outlive_the_job, silent_deaths
from vosr.core.types import Batch

log = logging.getLogger(__name__)

SEEN_BEFORE_JUDGING = 200
"""Samples of a rank before the share of bad ones is held against the limit."""


class TrainLoader:
    """Batches of endless training data, a fixed number per epoch.

    Batch t of rank r of R holds the positions from (t R + r) batch_size on, so that all ranks together walk through
    the positions one after another, whatever their number. The next epoch goes on where this one stopped, and the
    reading processes live on. ``state_dict`` is the position behind the last batch that was used.

    Args:
        plan: what to read and how.
        batches: batches per epoch, the same on every rank.
        num_workers: reading processes; 0 reads in this process.
        max_bad_share: share of unusable samples above which the run stops.
        ranks: number of ranks.
        rank: this rank.
        repeat: batches after which the same ones come again (``overfit_batches``); 0 never repeats.
        unused: whether the last batch taken has not been trained on, as when its step is interrupted.
        timeout: seconds to wait for a reading process before the run ends; 0 waits for ever.
    """

    def __init__(
        self,
        plan: DataPlan,
        batches: int,
        num_workers: int = 0,
        max_bad_share: float = 1.0,
        ranks: int = 1,
        rank: int = 0,
        repeat: int = 0,
        unused: Callable[[], bool] = lambda: False,
        timeout: float = 0.0,
    ) -> None:
        self.plan = plan
        self.batches = batches
        self.num_workers = num_workers
        self.max_bad_share = max_bad_share
        self.rank = rank
        self.timeout = timeout
        self.tally = Tally()
        self.position = 0
        self.shifts = (0,) * len(plan.sources)
        self._step = ranks * plan.batch_size
        self._period = repeat * self._step
        self._unused = unused
        self._before = 0
        self._live: Iterator[Delivery] | None = None
        self._reported: set[str] = set()

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.batches):
            yield self._take()

    def state_dict(self) -> dict[str, Any]:
        """One number, the position of all ranks, and what it belongs to; plain values."""
        position = self._before if self._unused() else self.position
        taken = self.plan.mixture.taken(position)
        sources = [
            {"name": source.name, "fingerprint": source.fingerprint, "taken": count + shift}
            for source, count, shift in zip(self.plan.sources, taken, self.shifts)
        ]
        return {"position": position, "seed": self.plan.seed, "sources": sources}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a position; logs which sources have changed and begin anew."""
        self._live = None
        if "position" not in state:
            self._log(
                "The checkpoint is of version 0.1, which counted otherwise: the training data begin anew."
            )
            return
        self.position = self._before = state["position"]
        old = {source["fingerprint"]: source["taken"] for source in state["sources"]}
        if state["seed"] != self.plan.seed:
            old = {}
            self._log(f"data.seed was {state['seed']} and is {self.plan.seed}: the training data begin anew.")
        taken = self.plan.mixture.taken(self.position)
        shifts = []
        for source, count in zip(self.plan.sources, taken):
            if old and source.fingerprint not in old:
                self._log(_changed(source, state))
            shifts.append(old.get(source.fingerprint, 0) - count)
        self.shifts = tuple(shifts)

    @property
    def encoding(self) -> StoredEncoding | None:
        """How latents and tokens are read, where those are what the batches hold."""
        return self.plan.encoding

    def start_at(self, position: int) -> None:
        """Begin with a later position than 0."""
        self._live = None
        self.position = self._before = position

    def close(self) -> None:
        """End the reading processes."""
        self._live = None

    def _take(self) -> Batch:
        if self._live is None:
            self._live = self._opened()
        delivery = self._delivered(self._live)
        self._account(delivery)
        if delivery.batch is None:
            raise BadDataError(f"{delivery.complaint} {self.tally.report()}.")
        self._before = self.position
        self.position += self._step
        return delivery.batch

    def _delivered(self, stream: Iterator[Delivery]) -> Delivery:
        try:
            with deaths_raise():
                return next(stream)
        except RuntimeError as error:  # torch's DataLoader has no kinds of its own
            what = failure(str(error), self.timeout)
            if what is None:
                raise
            names = ", ".join(source.name for source in self.plan.sources)
            raise StalledError(f"A data worker of rank {self.rank} {what} It reads {names}.") from error

    def _opened(self) -> Iterator[Delivery]:
        loader = DataLoader(
            TrainingData(self.plan, self.shifts, compare=self.rank == 0),
            batch_size=None,
            sampler=_Positions(self.position + self.rank * self.plan.batch_size, self._step, self._period),
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            timeout=self.timeout if self.num_workers else 0,
            worker_init_fn=outlive_the_job,
        )
        with silent_deaths():
            return iter(loader)

    def _account(self, delivery: Delivery) -> None:
        self.tally.add(len(delivery.batch.key) if delivery.batch else 0, delivery.faults)
        for fault in delivery.faults:
            self._log_once(fault)
        seen = self.tally.good + self.tally.bad.total()
        if seen >= SEEN_BEFORE_JUDGING and self.tally.bad_share > self.max_bad_share:
            raise BadDataError(
                f"{self.tally.bad_share:.0%} of the data are unusable, above max_bad_share "
                f"{self.max_bad_share:.0%}. {self.tally.report()}. Repair the data or raise the limit."
            )

    def _log_once(self, fault: Fault) -> None:
        if fault.where not in self._reported:
            self._reported.add(fault.where)
            log.warning("Left out %s (%s: %s)", fault.where, fault.reason.value, fault.detail)

    def _log(self, text: str) -> None:
        if self.rank == 0:
            log.warning(text)


class _Positions(Sampler[int]):
    """First positions of a rank's batches, without end."""

    def __init__(self, first: int, step: int, period: int) -> None:
        self.first = first
        self.step = step
        self.period = period

    def __iter__(self) -> Iterator[int]:
        position = self.first
        while True:
            yield position % self.period if self.period else position
            position += self.step


def _changed(source: Source, state: dict[str, Any]) -> str:
    known = any(old["name"] == source.name for old in state["sources"])
    what = "has changed since the checkpoint" if known else "was not among the checkpoint's sources"
    return (
        f"{source.name} {what}: its {source.samples or 'uncounted'} samples begin a new pass in a new order."
    )
