"""What worker processes do: reading before, writing after. Imports no torch, so that they start fast and stay small."""

import errno
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from numpy.typing import NDArray

from vosr.core.deadline import deadline
from vosr.imaging.comparison import BeforeAfter
from vosr.imaging.formats import format_of
from vosr.imaging.gallery import write_comparison
from vosr.imaging.limits import Header
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.reading import read_animation, read_header, read_photo, reason_of
from vosr.imaging.writing import Encoding, write_animation, write_photo
from vosr.jobs.job import Job, OutputError

Frames = Literal["first", "all"]
LARGE = 2**24 * 6
"""Images of more bytes are read when their turn comes, by the process that restores them: queues stay small."""
_SECONDS, _SPEED = 60.0, 2**22
"""That reading may take: so many, and one more for each so many bytes."""
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
    """Result of reading an image.

    Attributes:
        content: what was read; None where it failed or is too large for a queue.
        error: one sentence, where it failed.
    """

    content: Photo | Animation | None = None
    error: str | None = None


def read(source: Path, frames: Frames, largest: int = LARGE) -> Read:
    """Read an image of at most ``largest`` bytes once decoded.

    Nothing that a file holds may raise here, run for ever or take more memory than its head has been checked for.
    """
    try:
        with deadline(_SECONDS):
            header = read_header(source)
        several = header.frames if frames == "all" else 1
        if header.nbytes * several > largest:
            return Read()
        with deadline(_SECONDS + header.nbytes * several / _SPEED):
            if frames == "all":
                animation = read_animation(source)
                return Read(animation if len(animation.frames) > 1 else animation.frames[0])
            return Read(read_photo(source))
    except ValueError as error:
        return Read(error=str(error))
    except Exception as error:  # whatever it is, it concerns this file alone
        return Read(error=f"Cannot read {source}: {reason_of(error)}.")


def write(
    job: Job, photo: Photo, rows: Iterable[NDArray], size: tuple[int, int], encoding: Encoding
) -> tuple[str, ...]:
    """Write an image, and its comparison if the job asks for one; the notes come back.

    Raises:
        ValueError: it cannot be written.
        OutputError: nor can any other.
    """
    comparison = BeforeAfter(photo, size) if job.comparison is not None else None
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
            comparison = BeforeAfter(animation.frames[0], (width, height))
            deque(comparison.watch([restored[0]]), maxlen=0)
            write_comparison(comparison.result(), job.comparison)
        read = dict.fromkeys(note for frame in animation.frames for note in frame.notes)
        return (f"all {len(restored)} images of the file", *read, *notes)
    except OSError as error:
        raise _explained(error, job.target) from error


def check_target(job: Job, sizes: list[tuple[int, int]]) -> None:
    """Refuse what the format or the memory cannot hold, before it is restored.

    Args:
        job: with the file to write.
        sizes: of the one result, or of all images of a file, which are held together.

    Raises:
        ValueError: too long a side, a format of one image for several, or too many images.
    """
    form = format_of(job.target)
    if form is None:
        raise ValueError(f"{job.target} does not end as an image's name does.")
    for size in set(sizes):
        form.check(*size)
    if len(sizes) > 1:
        form.check_frames(set(sizes))
        Header(*max(sizes)).check(frames=len(sizes))


def _explained(error: OSError, target: Path) -> ValueError:
    reason = _FATAL.get(error.errno or 0)
    if reason is not None:
        return OutputError(f"Cannot write {target}: {reason}.")
    return ValueError(f"Cannot write {target}: {error.strerror or error}.")
