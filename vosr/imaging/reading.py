"""Images from files: upright, in sRGB, with everything that has to be kept."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from PIL import Image, ImageSequence, UnidentifiedImageError

from vosr.imaging.formats import format_called, format_of
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.pillow_reading import deep_png, from_pillow, is_deep_png
from vosr.imaging.stored import Stored, to_photo
from vosr.imaging.tiff_reading import first_page, is_tiff, tiff_pages, tiff_size

MOST = 2**29
"""Images of more pixels are refused: a small file can claim any size, and this one takes 1.5 GiB."""
_LIMIT = Lock()


def read_photo(path: Path) -> Photo:
    """Read one image; of a file that holds several, the first.

    Raises:
        ValueError: not an image, damaged, or unreadable; the message names the file and the reason.
    """
    with _guarded(path):
        return _named(to_photo(_first_tiff(path) if is_tiff(path) else _first(path)), path)


def read_animation(path: Path) -> Animation:
    """Read every image of a file.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with _guarded(path):
        if is_tiff(path):
            pages = list(tiff_pages(path))
            if None not in pages:
                return Animation(tuple(to_photo(page) for page in pages if page is not None))
        with _opened(path) as image:
            if _count(image) == 1:
                return Animation((read_photo(path),))
            frames, durations = [], []
            for frame in ImageSequence.Iterator(image):
                frames.append(to_photo(from_pillow(frame)))
                durations.append(round(frame.info.get("duration", 0)))
            loops = image.info.get("loop", 1)
            return Animation(tuple(frames), tuple(durations) if any(durations) else (), loops)


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels as stored, from the file's head alone.

    Raises:
        ValueError: as :func:`read_photo`.
    """
    with _guarded(path):
        if is_tiff(path):
            return tiff_size(path)
        with _opened(path) as image:
            return image.size


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Whatever a decoder raises becomes a sentence with the file's name."""
    try:
        if path.is_dir():
            raise ValueError("it is a folder")
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on size and metadata that no user can act on
            yield
    except FileNotFoundError as error:
        raise ValueError(f"Cannot read {path}: no such file.") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"Cannot read {path}: it is not an image in a known format.") from error
    except Exception as error:  # damaged files make decoders raise nearly anything
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"Cannot read {path}: {reason}.") from error


def _opened(path: Path) -> Image.Image:
    """Opened by Pillow, whose own limit stops at less than a stitched panorama has."""
    with _LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = (
            Image.MAX_IMAGE_PIXELS,
            MOST // 2,
        )  # Pillow refuses above twice its limit
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _first(path: Path) -> Stored:
    with _opened(path) as image:
        count = _count(image)
        notes = (f"first of {count} images in the file",) if count > 1 else ()
        return deep_png(image, path, notes) if is_deep_png(path) else from_pillow(image, notes)


def _first_tiff(path: Path) -> Stored:
    width, height = tiff_size(path)
    if width * height > MOST:
        raise ValueError(f"{width}x{height} are more than {MOST} pixels")
    stored, count = first_page(path)
    if stored is None:
        return _first(path)
    notes = (f"first of {count} images in the file",) if count > 1 else ()
    return replace(stored, notes=(*notes, *stored.notes))


def _count(image: Image.Image) -> int:
    """Images in an opened file. The others of a camera's MPO are previews and gain maps."""
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _named(photo: Photo, path: Path) -> Photo:
    """Tell where a file's name says another format than its content."""
    named, real = format_of(path), format_called(photo.format)
    if named is None or named == real or photo.format not in (real.pillow, "MPO"):
        return photo
    return replace(photo, notes=(*photo.notes, f"a {real.pillow} file in spite of its name"))
