"""File formats that are read and written, and what each can hold."""

from dataclasses import dataclass
from pathlib import Path

from PIL import features


@dataclass(frozen=True)
class Format:
    """What a written file of this format holds.

    Attributes:
        name: as on the command line.
        pillow: Pillow's name.
        suffixes: of its files; new files take the first.
        deep: 16-bit samples.
        alpha: transparency.
        grey: one-channel images.
        metadata: EXIF and an ICC profile.
        frames: several images in one file.
        longest: largest side in pixels, if limited.
    """

    name: str
    pillow: str
    suffixes: tuple[str, ...]
    deep: bool = False
    alpha: bool = True
    grey: bool = True
    metadata: bool = True
    frames: bool = True
    longest: int | None = None

    def check(self, width: int, height: int) -> None:
        """Refuse an image that is too long for the format.

        Raises:
            ValueError: with the limit and what to choose instead.
        """
        if self.longest is not None and max(width, height) > self.longest:
            raise ValueError(
                f"{self.pillow} holds at most {self.longest} pixels a side, not {width}x{height}; choose png or tiff."
            )


FORMATS = {
    known.name: known
    for known in (
        Format("png", "PNG", (".png", ".apng"), deep=True),
        Format("jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), alpha=False, frames=False, longest=65500),
        Format("webp", "WEBP", (".webp",), grey=False, longest=16383),
        Format("tiff", "TIFF", (".tif", ".tiff"), deep=True),
        Format("bmp", "BMP", (".bmp",), alpha=False, metadata=False, frames=False),
        Format("avif", "AVIF", (".avif",), grey=False, longest=65535),
    )
    if known.name != "avif" or features.check("avif")
}
"""Formats that can be written."""
READ_ONLY = (".gif", ".jp2", ".ppm", ".pgm")
SUFFIXES = (*(suffix for known in FORMATS.values() for suffix in known.suffixes), *READ_ONLY)
"""Files that a folder is searched for."""
_BY_SUFFIX = {suffix: known for known in FORMATS.values() for suffix in known.suffixes}


def format_of(path: Path) -> Format | None:
    """The format that a file of this name is written in; None where the suffix is not one of an image."""
    return _BY_SUFFIX.get(path.suffix.lower())


def format_called(pillow: str) -> Format:
    """The format to write what Pillow calls ``pillow``; PNG for what is only read."""
    same = (
        known
        for known in FORMATS.values()
        if known.pillow == pillow or (pillow, known.name) == ("MPO", "jpeg")
    )
    return next(same, FORMATS["png"])
