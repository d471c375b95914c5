"""Images from files: upright, in sRGB, with everything that has to be kept."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vosr.core.files.regular import open_regular
from vosr.imaging.decoded import to_photo
from vosr.imaging.formats import format_called, format_of
from vosr.imaging.limits import Header
from vosr.imaging.opened import Opened, opened
from vosr.imaging.photo import Animation, Photo

_WORDS = re.compile(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}")


def read_photo(path: Path) -> Photo:
    """Read one image; of a file that holds several, the first.

    Raises:
        ValueError: not an image, damaged, too large, or unreadable; the message names the file and the reason.
    """
    with _open(path) as image:
        count = image.header.frames
        photo = _named(to_photo(image.first()), path)
        first = (f"first of {count} images in the file",) if count > 1 else ()
        return replace(photo, notes=(*first, *photo.notes))


def read_animation(path: Path) -> Animation:
    """Read every image of a file.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with _open(path) as image:
        photos, durations = [], []
        for stored, duration in image.frames():
            photos.append(to_photo(stored))
            durations.append(duration)
        return Animation(tuple(photos), tuple(durations) if any(durations) else (), image.loops)


def read_header(path: Path) -> Header:
    """What decoding a file takes, and how many images it holds, from its head alone.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with _open(path) as image:
        return image.header


def reason_of(
    error: BaseException, otherwise: str = "its data is damaged or of a kind that is not supported"
) -> str:
    """Message of an exception, in words, without a full stop.

    Args:
        error: decoders often say nothing but a number or a key.
        otherwise: the message where the exception has none.
    """
    message = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    readable = isinstance(error, ValueError | OSError | SyntaxError | RuntimeError)
    if readable and _WORDS.search(message):
        return message
    detail = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return f"{otherwise} ({detail})"


@contextmanager
def quiet() -> Iterator[None]:
    """Context manager that silences warnings on size and metadata that no user can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _open(path: Path) -> Iterator[Opened]:
    """Whatever a decoder raises becomes a sentence with the file's name."""
    try:
        if path.is_dir():
            raise ValueError("it is a folder")
        with quiet(), open_regular(path) as file:
            if path.stat().st_size == 0:
                raise ValueError("the file is empty")
            with opened(file) as image:
                yield image
    except FileNotFoundError as error:
        raise ValueError(f"Cannot read {path}: no such file.") from error
    except OSError as error:
        reason = error.strerror if error.filename else None
        raise ValueError(f"Cannot read {path}: {reason or reason_of(error)}.") from error
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise ValueError(f"Cannot read {path}: {reason_of(error)}.") from error


def _named(photo: Photo, path: Path) -> Photo:
    """Note where a file's name gives another format than its content."""
    named, real = format_of(path), format_called(photo.format)
    if named is None or named == real or photo.format not in (real.pillow, "MPO"):
        return photo
    return replace(photo, notes=(*photo.notes, f"a {real.pillow} file in spite of its name"))
