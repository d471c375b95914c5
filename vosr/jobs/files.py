"""What worker processes do: reading before, writing after. Imports no torch, so that they start fast and stay small."""

import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from numpy.typing import NDArray

from vosr.imaging.comparison import Comparison
from vosr.imaging.formats import format_of
from vosr.imaging.gallery import write_comparison
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.reading import read_animation, read_photo, size_of
from vosr.imaging.writing import Encoding, write_animation, write_photo
from vosr.jobs.job import Job, OutputError

Frames = Literal["first", "all"]
LARGE = 2**24
"""Images of more pixels are read when their turn comes, by the process that restores them: queues stay small."""
_FATAL = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EROFS: "the file system is read-only",
}
"""Reasons that will not go away before the next image."""


@dataclass(frozen=True)
class Writing:
    """How results are written.

    Attributes:
        encoding: profile and quality.
        frames: of files that hold several images.
    """

    encoding: Encoding = field(default_factory=Encoding)
    frames: Frames = "first"


@dataclass(frozen=True, eq=False)
class Read:
    """What became of reading.

    Attributes:
        content: what was read; None where it failed or is too large for a queue.
        error: one sentence, where it failed.
    """

    content: Photo | Animation | None = None
    error: str | None = None


def read(source: Path, frames: Frames, largest: int = LARGE) -> Read:
    """Read an image of at most ``largest`` pixels."""
    try:
        width, height = size_of(source)
        if width * height > largest:
            return Read()
        if frames == "all":
            animation = read_animation(source)
            return Read(animation if len(animation.frames) > 1 else animation.frames[0])
        return Read(read_photo(source))
    except ValueError as error:
        return Read(error=str(error))


def write(
    job: Job, photo: Photo, rows: Iterable[NDArray], size: tuple[int, int], encoding: Encoding
) -> tuple[str, ...]:
    """Write an image, and its comparison if the job asks for one; the notes come back.

    Raises:
        ValueError: it cannot be written.
        OutputError: nor can any other.
    """
    comparison = Comparison(photo, size) if job.comparison is not None else None
    try:
        rows = rows if comparison is None else comparison.watch(rows)
        notes = write_photo(photo, rows, size, job.target, encoding)
        if comparison is not None and job.comparison is not None:
            write_comparison(comparison.result(), job.comparison)
        return (*photo.notes, *notes)
    except OSError as error:
        raise _explained(error, job.target) from error


def write_frames(
    job: Job, animation: Animation, restored: list[NDArray], encoding: Encoding
) -> tuple[str, ...]:
    """Write all images of a file; otherwise as :func:`write`."""
    try:
        notes = write_animation(animation, restored, job.target, encoding)
        if job.comparison is not None:
            height, width = restored[0].shape[:2]
            comparison = Comparison(animation.frames[0], (width, height))
            deque(comparison.watch([restored[0]]), maxlen=0)
            write_comparison(comparison.result(), job.comparison)
        return (f"all {len(restored)} images of the file", *notes)
    except OSError as error:
        raise _explained(error, job.target) from error


def check_target(job: Job, size: tuple[int, int], several: bool) -> None:
    """Refuse what the format cannot hold, before it is restored.

    Raises:
        ValueError: too long a side, or a format of one image for several.
    """
    form = format_of(job.target)
    if form is None:
        raise ValueError(f"{job.target} does not end as an image's name does.")
    form.check(*size)
    if several and not form.frames:
        raise ValueError(
            f"{form.pillow} holds one image only; choose png, webp, avif or tiff for all frames."
        )


def _explained(error: OSError, target: Path) -> ValueError:
    reason = _FATAL.get(error.errno or 0)
    if reason is not None:
        return OutputError(f"Cannot write {target}: {reason}.")
    return ValueError(f"Cannot write {target}: {error.strerror or error}.")
