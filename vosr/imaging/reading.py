"""Images from files: upright, in sRGB, with everything that has to be kept."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import tifffile
from PIL import Image, ImageSequence, UnidentifiedImageError

from vosr.imaging.formats import PILLOW_READS, format_called, format_of, unsupported
from vosr.imaging.limits import MOST_BYTES, MOST_PIXELS, Header
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.pillow_reading import from_pillow, from_png, samples_of
from vosr.imaging.png_reading import SIGNATURE, Parts, take_apart
from vosr.imaging.stored import Stored, to_photo
from vosr.imaging.tiff_reading import MAGIC, TiffPage, describe, pages_of, read_page

_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I": 4, "F": 4}
_WORDS = re.compile(r"[A-Za-z]{2,}\W+[A-Za-z]{2,}")
_LIMIT = Lock()


def read_photo(path: Path) -> Photo:
    """Read one image; of a file that holds several, the first.

    Raises:
        ValueError: not an image, damaged, too large, or unreadable; the message names the file and the reason.
    """
    with guarded(path), path.open("rb") as file:
        return _named(to_photo(read_stored(file)), path)


def read_animation(path: Path) -> Animation:
    """Read every image of a file.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with guarded(path), path.open("rb") as file:
        if _head(file)[:4] in MAGIC:
            with tifffile.TiffFile(file) as tiff:
                pages = pages_of(tiff)
                _check_together([page.header for page in pages])
                return Animation(tuple(to_photo(_tiff_page(page, file)) for page in pages))
        with _opened(file) as (image, data, parts):
            count = _count(image)
            if count > 1:
                return _sequence(image, data, parts, count)
    return Animation((read_photo(path),))


def read_header(path: Path) -> Header:
    """What a file says of its first image and their number, from its head alone.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with guarded(path), path.open("rb") as file:
        return header_of(file)


def header_of(file: BinaryIO) -> Header:
    """As :func:`read_header`, of an open file. Raises what decoders do."""
    if _head(file)[:4] in MAGIC:
        with tifffile.TiffFile(file) as tiff:
            pages = pages_of(tiff)
            return replace(pages[0].header, frames=len(pages))
    with _opened(file) as (image, _, parts):
        return _header(image, parts)


def read_stored(file: BinaryIO, reduce_to: tuple[int, int] | None = None) -> Stored:
    """Decode the first image of an open file. Raises what decoders do, and ValueError with a reason.

    Args:
        file: seekable.
        reduce_to: width and height that a JPEG, as stored, may be reduced to while it is decoded.
    """
    if _head(file)[:4] in MAGIC:
        with tifffile.TiffFile(file) as tiff:
            pages = pages_of(tiff)
            pages[0].header.check()
            stored = _tiff_page(pages[0], file)
            return replace(stored, notes=(*_first_of(len(pages)), *stored.notes))
    with _opened(file) as (image, data, parts):
        _header(image, parts).check()
        notes = _first_of(_count(image))
        if parts is not None:
            return from_png(parts, image, notes)
        if reduce_to is not None:
            image.draft(None, reduce_to)
        return from_pillow(image, data, notes)


@contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Whatever a decoder raises becomes a sentence with the file's name."""
    try:
        if path.is_dir():
            raise ValueError("it is a folder")
        if not path.is_file() and path.exists():
            raise ValueError("it is no regular file")
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        with quiet():
            yield
    except FileNotFoundError as error:
        raise ValueError(f"Cannot read {path}: no such file.") from error
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise ValueError(f"Cannot read {path}: {reason_of(error)}.") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without remarks on size and metadata that no user can act on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reason_of(
    error: BaseException, otherwise: str = "its data is damaged or of a kind that is not supported"
) -> str:
    """What an exception says, in words, without a full stop.

    Args:
        error: decoders often say nothing but a number or a key.
        otherwise: what is said where the exception says nothing.
    """
    said = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    told = isinstance(error, ValueError | OSError | SyntaxError | RuntimeError | TimeoutError)
    if told and _WORDS.search(said):
        return said
    detail = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"{otherwise} ({detail})"


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    return head


@contextmanager
def _opened(file: BinaryIO) -> Iterator[tuple[Image.Image, bytes, Parts | None]]:
    """A file that is no TIFF, opened by Pillow, with its bytes where they are needed, and a PNG's other parts."""
    head = _head(file)
    known, data, parts = unsupported(head), b"", None
    if head.startswith(SIGNATURE):
        parts = take_apart(_whole(file))
        file = io.BytesIO(parts.image)
    elif head[4:8] == b"ftyp":
        data = _whole(file)
        file = io.BytesIO(data)
    try:
        image = _open(file, PILLOW_READS)
    except UnidentifiedImageError as error:
        told = (
            "it is not an image in a known format"
            if known is None
            else f"it is {known}, which is not supported"
        )
        if parts is not None or head.startswith((b"\xff\xd8", b"RIFF", b"GIF8", b"BM")):
            told = "its head is damaged"
        raise ValueError(told) from error
    with image:
        yield image, data, parts


def _open(file: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    """Opened by Pillow, whose own limit stops at less than a stitched panorama has."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = (
            Image.MAX_IMAGE_PIXELS,
            MOST_PIXELS // 2,
        )  # it refuses above twice its limit
        try:
            return Image.open(file, formats=formats)
        except Image.DecompressionBombError as error:
            raise ValueError(f"it claims more than {MOST_PIXELS} pixels") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError(f"the file has more than {MOST_BYTES / 2**30:.0f} GiB")
    return data


def _header(image: Image.Image, parts: Parts | None) -> Header:
    deep = 2 if parts is not None and parts.depth == 16 else _BYTES.get(image.mode, 1)
    return Header(*image.size, len(image.getbands()), deep, _count(image))


def _tiff_page(page: TiffPage, file: BinaryIO) -> Stored:
    page.header.check()
    if page.readable:
        return read_page(page, file)
    file.seek(0)
    kept = describe(page, file)
    try:
        with _open(file, ("TIFF",)) as image:
            image.seek(page.index)
            colours, alpha, changed = samples_of(image)
            profile = image.info.get("icc_profile")
    except Exception as error:
        raise ValueError(
            f"it is a TIFF of {page.colours}, which cannot be read ({reason_of(error)})"
        ) from error
    return replace(kept, colours=colours, alpha=alpha, profile=profile, notes=(*changed, *kept.notes))


def _sequence(image: Image.Image, data: bytes, parts: Parts | None, count: int) -> Animation:
    """All frames of an animation. Those of a PNG have 8 bits."""
    header = _header(image, parts)
    header.check(frames=count)
    frames, durations = [], []
    for frame in ImageSequence.Iterator(image):
        alone = parts and replace(parts, depth=8)
        frames.append(to_photo(from_png(alone, frame, ()) if alone else from_pillow(frame, data)))
        durations.append(round(frame.info.get("duration", 0)))
    return Animation(tuple(frames), tuple(durations) if any(durations) else (), image.info.get("loop", 1))


def _check_together(headers: list[Header]) -> None:
    """Refuse images that together take too much memory."""
    for header in headers:
        header.check()
    total = sum(header.nbytes for header in headers)
    if total > MOST_BYTES:
        raise ValueError(
            f"its {len(headers)} images take {total / 2**30:.1f} GiB, more than {MOST_BYTES / 2**30:.0f}"
        )


def _first_of(count: int) -> tuple[str, ...]:
    return (f"first of {count} images in the file",) if count > 1 else ()


def _count(image: Image.Image) -> int:
    """Images in an opened file. The others of a camera's MPO are previews and gain maps."""
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _named(photo: Photo, path: Path) -> Photo:
    """Tell where a file's name says another format than its content."""
    named, real = format_of(path), format_called(photo.format)
    if named is None or named == real or photo.format not in (real.pillow, "MPO"):
        return photo
    return replace(photo, notes=(*photo.notes, f"a {real.pillow} file in spite of its name"))
