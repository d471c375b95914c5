"""The training loader: what Lightning iterates over, counts and stores in its checkpoints."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from data_pipelines.failures import BadDataError, Fault, StalledError, Tally
from data_pipelines.stream.plan import Plan
from data_pipelines.stream.reader import Delivery, Reader, ReaderState
from data_pipelines.stream.resume import Position, from_state, to_state
from vosr.core.types import Batch

log = logging.getLogger(__name__)

SEEN_BEFORE_JUDGING = 200
"""Samples of a rank before the share of bad ones is held against the limit."""


class TrainLoader:
    """Batches of an endless stream, a fixed number per epoch; remembers which batches were taken.

    The stream does not end with the epoch: the next epoch goes on where this one stopped, and the reading
    processes live on. ``state_dict`` is the position behind the last batch that was used, whatever was prefetched.

    Args:
        plan: what to read and how.
        batches: batches per epoch, the same on every rank.
        num_workers: reading processes; 0 reads in this process.
        max_bad_share: share of unusable samples above which the run stops.
        group: process group in which ranks exchange positions; None for a single rank.
        unused: whether the last batch taken has not been trained on, as when its step is interrupted.
        timeout: seconds to wait for a reading process before the run ends; 0 waits for ever.
    """

    def __init__(
        self,
        plan: Plan,
        batches: int,
        num_workers: int,
        max_bad_share: float = 1.0,
        group: dist.ProcessGroup | None = None,
        unused: Callable[[], bool] = lambda: False,
        timeout: float = 0.0,
    ) -> None:
        self.timeout = timeout
        self.plan = plan
        self.batches = batches
        self.num_workers = num_workers
        self.max_bad_share = max_bad_share
        self.tally = Tally()
        self._group = group
        self._unused = unused
        self._live: Iterator[Delivery] | None = None
        self._reported: set[str] = set()
        self._start(Position(plan, 0, [None] * plan.readers))

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.batches):
            yield self._take()

    def state_dict(self) -> dict[str, Any]:
        """Position of all ranks. Every rank has to call it, as Lightning does when it saves a checkpoint."""
        taken, states = self._taken, self._states
        if self._unused():
            taken, states = self._before
        gathered: list[Any] = [states]
        if self._group is not None:
            gathered = [None] * self.plan.ranks
            dist.all_gather_object(gathered, states, group=self._group)
        readers = [state for rank in gathered for state in rank]
        return to_state(self._position.plan, taken, readers)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position; says in the log what it does where the layout differs."""
        self._live = None
        self._start(from_state(self.plan, state))
        if self.plan.rank == 0:
            for line in self._position.story:
                log.warning(line)

    def close(self) -> None:
        """End the reading processes."""
        self._live = None

    def _start(self, position: Position) -> None:
        first = self.plan.rank * self.plan.workers
        self._position = position
        self._taken = position.batches
        self._states: list[ReaderState | None] = list(position.readers[first : first + self.plan.workers])
        self._before = self._taken, self._states

    def _take(self) -> Batch:
        if self._live is None:
            self._live = self._opened()
        delivery = self._delivered(self._live)
        self._account(delivery)
        if delivery.batch is None:
            raise BadDataError(f"{delivery.complaint} {self.tally.report()}.")
        self._before = self._taken, list(self._states)
        self._states[self._taken % self.plan.workers] = delivery.state
        self._taken += 1
        return delivery.batch

    def _delivered(self, stream: Iterator[Delivery]) -> Delivery:
        try:
            return next(stream)
        except RuntimeError as error:  # torch's DataLoader has no kinds of its own
            if "timed out" in str(error):
                what = f"gave nothing for {self.timeout:g} s (data.worker_timeout)"
            elif "exited unexpectedly" in str(error):
                what = "ended unexpectedly; was it killed, for memory perhaps?"
            else:
                raise
            names = ", ".join(source.name for source in self.plan.sources)
            raise StalledError(f"A data worker of rank {self.plan.rank} {what}. It reads {names}.") from error

    def _opened(self) -> Iterator[Delivery]:
        stream = _ReaderStream(self._position.plan, self._taken, self._states)
        loader = DataLoader(
            stream,
            batch_size=None,
            num_workers=self.num_workers,
            pin_memory=torch.cuda.is_available(),
            timeout=self.timeout if self.num_workers else 0,
        )
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


class _ReaderStream(IterableDataset[Delivery]):
    """Runs one reader in each worker process, beginning with the worker whose turn it is."""

    def __init__(self, plan: Plan, taken: int, states: list[ReaderState | None]) -> None:
        self.plan = plan
        self.taken = taken
        self.states = list(states)

    def __iter__(self) -> Iterator[Delivery]:
        worker = get_worker_info()
        turn = (self.taken + (worker.id if worker else 0)) % self.plan.workers
        return iter(Reader(self.plan, self.plan.rank * self.plan.workers + turn, self.states[turn]))
