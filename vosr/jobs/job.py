"""Records of jobs: one image to restore, and its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One image to restore.

    Attributes:
        source: file to read.
        target: file to write.
        comparison: before-and-after image to write, if wanted.
    """

    source: Path
    target: Path
    comparison: Path | None = None


@dataclass(frozen=True)
class Done:
    """A job that is over.

    Attributes:
        job: the job.
        seconds: spent on restoring it, without reading and writing.
        error: one sentence; None where it was restored.
        size: width and height of the result.
        notes: what was changed or lost in reading and writing, in words.
    """

    job: Job
    seconds: float = 0.0
    error: str | None = None
    size: tuple[int, int] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """Jobs that are left out because their files exist.

    Attributes:
        count: how many.
        jobs: the jobs.
    """

    count: int
    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class PassedOver:
    """An image in a listed folder whose format is not read.

    Attributes:
        source: the file.
    """

    source: Path


Event = Done | Skipped | PassedOver
Reporter = Callable[[Event], None]


class OutputError(ValueError):
    """Nothing more can be written: going on would compute in vain."""
