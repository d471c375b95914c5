"""``restore`` over a cluster: Ray Data hands images to actors that hold the model.

An actor that dies is replaced, and what it had not reported is done again by another one. Files appear whole or not at
all, so what it had written is not done twice.
"""

import logging
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosr.core.ray_cluster import RayCluster
from vosr.jobs.devices import Work
from vosr.jobs.job import Done, Event, Job, OutputError, Reporter

BLOCK = 32
"""Images that an actor is given at a time, at most: so many are looked at once more where it dies."""
_WRITTEN = "written by a worker that was lost before it could tell of it"


def restore_on_ray(
    work: Work,
    cluster: RayCluster,
    device: str,
    report: Reporter,
    opened: Callable[[dict[str, object]], None],
) -> None:
    """Restore on a cluster.

    Args:
        work: what to do; workers that read and write are left out, actors do that themselves.
        cluster: where.
        device: of each actor.
        report: called with every result, in this process.
        opened: called with the settings once, before any result is reported.

    Raises:
        ValueError: no Ray, no cluster, or a device or model that cannot be used.
        OutputError: nothing more can be written.
    """
    held: list[Event] = []  # until the settings are known
    jobs = list(work.plan.jobs(held.append))
    if not jobs:
        _tell(held, report)
        return
    with cluster.connected() as ray:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        workers, each = cluster.share(ray)
        workers = min(workers, len(jobs))
        blocks = min(len(jobs), max(workers * 4, -(-len(jobs) // BLOCK)))
        rows = [{"number": number, "job": pickle.dumps(job)} for number, job in enumerate(jobs)]
        results = ray.data.from_items(rows, override_num_blocks=blocks).map_batches(
            RestoringActor,
            fn_constructor_args=(work, cluster, device),
            batch_size=work.batch_size,
            compute=ray.data.ActorPoolStrategy(
                size=workers
            ),  # which restarts what dies, and tries its tasks again
            **each,
        )
        known = False
        for row in results.iter_rows():
            settings, event, fatal = pickle.loads(row["result"])
            if settings is None:
                raise ValueError(event)
            if not known:
                known = True
                opened(settings)
                _tell(held, report)
            report(replace(event, job=jobs[row["number"]]))
            if fatal:
                raise OutputError(event.error)


def _objects(values: list[bytes]) -> NDArray[np.object_]:
    """Bytes as they are: an array of strings would cut zeros off their ends."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _tell(events: list[Event], report: Reporter) -> None:
    for event in events:
        report(event)


class RestoringActor:
    """A process of the cluster with the model.

    Args:
        work: as for :func:`restore_on_ray`.
        cluster: likewise.
        device: where the model runs.
    """

    def __init__(self, work: Work, cluster: RayCluster, device: str) -> None:
        self._work = work
        self._problem: str | None = None
        try:
            cluster.enter_folder()
            self._restorer = work.recipe.open(device)
            self._settings = work.recipe.record(self._restorer)
        except ValueError as error:  # told in a sentence by the process that asked
            self._problem = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Results of a batch of jobs, by their numbers."""
        numbers = [int(number) for number in batch["number"]]
        if self._problem is not None:
            return {"number": numbers[:1], "result": _objects([pickle.dumps((None, self._problem, True))])}
        jobs = [pickle.loads(job) for job in batch["job"]]
        numbered, results = dict(zip(jobs, numbers)), list[tuple[int, Event, bool]]()

        def report(event: Event) -> None:
            assert isinstance(event, Done)
            results.append((numbered[event.job], event, False))

        left = [job for job in jobs if not self._is_written(job)]
        for job in jobs:
            if job not in left:
                report(Done(job, notes=(_WRITTEN,)))
        try:
            self._work.run_jobs(left, self._restorer, report)
        except OutputError:
            number, event, _ = results[-1]
            results[-1] = (number, event, True)
        return {
            "number": [number for number, _, _ in results],
            "result": _objects([pickle.dumps((self._settings, event, fatal)) for _, event, fatal in results]),
        }

    def _is_written(self, job: Job) -> bool:
        """Whether a file is there that was not when the work was shared out."""
        files = [job.target, *([job.comparison] if job.comparison is not None else [])]
        return self._work.plan.skip_existing and all(file.exists() for file in files)
