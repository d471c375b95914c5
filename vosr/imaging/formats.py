"""File formats that are read and written, what each can hold, and names of those that are not read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import features

Part = str
"""Of a file besides its pixels: exif, icc, xmp, iptc, text, comment or resolution."""
_EMBEDDED = frozenset({"exif", "icc", "xmp"})


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
        holds: kinds of metadata.
        frames: several images in one file.
        sizes: whether those may differ in size.
        longest: largest side in pixels, if limited.
    """

    name: str
    pillow: str
    suffixes: tuple[str, ...]
    deep: bool = False
    alpha: bool = True
    grey: bool = True
    holds: frozenset[Part] = _EMBEDDED
    frames: bool = True
    sizes: bool = False
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

    def check_frames(self, sizes: set[tuple[int, int]]) -> None:
        """Refuse several images where the format holds one, or none that differ in size.

        Args:
            sizes: width and height of the images, each once.

        Raises:
            ValueError: with what to choose instead.
        """
        if not self.frames:
            raise ValueError(
                f"{self.pillow} holds one image only; choose png, webp, avif or tiff for all frames."
            )
        if len(sizes) > 1 and not self.sizes:
            shown = " and ".join(f"{width}x{height}" for width, height in sorted(sizes)[:2])
            raise ValueError(f"{self.pillow} holds images of one size only, not {shown}; choose tiff.")


FORMATS = {
    known.name: known
    for known in (
        Format("png", "PNG", (".png", ".apng"), deep=True, holds=_EMBEDDED | {"iptc", "text", "resolution"}),
        Format(
            "jpeg", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), alpha=False, frames=False, longest=65500,
            holds=_EMBEDDED | {"iptc", "comment", "resolution"},
        ),
        Format("webp", "WEBP", (".webp",), grey=False, longest=16383),
        Format("tiff", "TIFF", (".tif", ".tiff"), deep=True, sizes=True, holds=_EMBEDDED | {"iptc", "resolution"}),
        Format("bmp", "BMP", (".bmp", ".dib"), alpha=False, holds=frozenset({"resolution"}), frames=False),
        Format("avif", "AVIF", (".avif",), grey=False, longest=65535),
    )
    if known.name != "avif" or features.check("avif")
}  # fmt: skip
"""Formats that can be written."""
READ_ONLY = (".gif", ".mpo", ".jp2", ".ppm", ".pgm")
SUFFIXES = (*(suffix for known in FORMATS.values() for suffix in known.suffixes), *READ_ONLY)
"""Files that a folder is searched for."""
UNREAD_SUFFIXES = tuple(
    f".{suffix}"
    for suffix in (
        *(
            "heic",
            "heif",
            "hif",
            "avif",
            "jxl",
            "jxr",
            "wdp",
            "hdp",
            "psd",
            "psb",
            "xcf",
            "kra",
            "svg",
            "eps",
            "exr",
        ),
        *(
            "hdr",
            "dds",
            "tga",
            "pcx",
            "ico",
            "qoi",
            "djvu",
            "fits",
            "fit",
            "dcm",
            "raw",
            "dng",
            "nef",
            "nrw",
            "cr2",
        ),
        *(
            "cr3",
            "crw",
            "arw",
            "srf",
            "sr2",
            "raf",
            "orf",
            "rw2",
            "pef",
            "srw",
            "x3f",
            "3fr",
            "fff",
            "iiq",
            "mrw",
        ),
    )
    if f".{suffix}" not in SUFFIXES
)
"""Images, drawings and camera raw files that are not read; what a folder holds of them is passed over and counted."""
PILLOW_READS = (
    *("JPEG", "PNG", "TIFF", "BMP", "DIB", "GIF", "PPM"),
    *(
        name
        for name, feature in (("WEBP", "webp"), ("AVIF", "avif"), ("JPEG2000", "jpg_2000"))
        if features.check(feature)
    ),
)
"""Decoders that Pillow may choose by a file's content; others start programs (EPS) or are rarely tested."""
_BY_SUFFIX = {suffix: known for known in FORMATS.values() for suffix in known.suffixes}

_SIGNATURES = (
    (0, b"%!PS", "EPS or PostScript"),
    (0, b"\xc5\xd0\xd3\xc6", "EPS"),
    (0, b"%PDF", "PDF"),
    (0, b"8BPS", "PSD (Photoshop)"),
    (0, b"gimp xcf", "XCF (GIMP)"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"II\xbc\x01", "JPEG XR"),
    (0, b"DDS ", "DDS"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"qoif", "QOI"),
    (0, b"SIMPLE  =", "FITS"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"FUJIFILMCCD-RAW", "camera raw (RAF)"),
    (0, b"IIRO", "camera raw (ORF)"),
    (0, b"IIU\0", "camera raw (RW2)"),
    (8, b"CR\x02", "camera raw (CR2)"),
    (4, b"ftypcrx", "camera raw (CR3)"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (4, b"ftypmsf1", "HEIF"),
    (4, b"ftypavi", "AVIF, which this Pillow was built without"),
    (4, b"ftyp", "a film or another ISO media file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM film"),
    (0, b"<?xml", "XML or SVG"),
    (0, b"<svg", "SVG"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself"),
)


def unsupported(head: bytes) -> str | None:
    """Name of a format that is recognised by a file's first bytes but not read; None for an unknown one."""
    return next((name for at, magic, name in _SIGNATURES if head[at:].startswith(magic)), None)


def by_suffix(files: Sequence[Path]) -> str:
    """Files counted by their suffixes, and one of them by name.

    Example:
        >>> by_suffix([Path("a.HEIC"), Path("b.nef"), Path("c.heic")])
        '2 .heic, 1 .nef (such as a.HEIC)'
    """
    counts = Counter(file.suffix.lower() for file in files)
    listed = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in counts.most_common(6))
    return f"{listed}{', …' if len(counts) > 6 else ''} (such as {files[0].name})"


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
