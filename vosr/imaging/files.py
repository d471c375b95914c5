"""Pictures from and to files, whole or not at all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from vosr.atomic import write_atomically

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")


@dataclass(frozen=True)
class Photo:
    """A picture as read: upright, with what has to be kept.

    Attributes:
        image: upright picture in its own mode.
        extras: EXIF and ICC profile, as keyword arguments of Pillow's ``save``.
    """

    image: Image.Image
    extras: dict[str, Any]


def read_photo(path: Path) -> Photo:
    """Read one picture and turn it upright.

    Raises:
        ValueError: not a picture, damaged, or unreadable; the message names the file.
    """
    try:
        with Image.open(path) as opened:
            opened.load()
            upright = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"Cannot read {path}: {_reason(error)}.") from error
    extras = {"exif": upright.getexif().tobytes(), "icc_profile": upright.info.get("icc_profile")}
    return Photo(upright, {key: value for key, value in extras.items() if value})


def write_photo(image: Image.Image, path: Path, extras: dict[str, Any]) -> None:
    """Write a picture under a temporary name, then rename it.

    JPEG is written at quality 95 without chroma subsampling.
    """
    options: dict[str, Any] = (
        {"quality": 95, "subsampling": 0} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    )
    if options and image.mode not in ("RGB", "L"):
        image = image.convert("RGB")
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = Image.registered_extensions()[path.suffix.lower()]
    write_atomically(path, lambda temporary: image.save(temporary, format=kind, **options, **extras))


def find_photos(source: Path) -> list[Path]:
    """The file itself, or every picture below a folder, sorted.

    Raises:
        ValueError: nothing there, or a folder without pictures.
    """
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise ValueError(f"No file or folder {source}.")
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ValueError(f"No pictures in {source}; looked for {', '.join(SUFFIXES)}.")
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is not a picture in a known format"
    return str(error).rstrip(".") or type(error).__name__
