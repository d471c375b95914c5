"""What a file says besides its pixels, from any format to any other: one carrier, and notes on what is left out."""

import re
from dataclasses import dataclass
from fractions import Fraction

from vosr.imaging.exif import ORIENTATION, RESOLUTION_UNIT, X_RESOLUTION, Y_RESOLUTION, Exif
from vosr.imaging.formats import Format
from vosr.imaging.tiff_directory import RATIONAL, SHORT, Directory

LONGEST_IN_JPEG = 65533
"""A JPEG segment holds 65535 bytes, two of them its length."""
LONGEST_TEXT = 2**20 - 2**10
"""Bytes of a text or profile in a PNG: Pillow refuses to open files with longer ones."""
_XMP_IN_JPEG = LONGEST_IN_JPEG - len(b"http://ns.adobe.com/xap/1.0/\0")
_IPTC_IN_JPEG = LONGEST_IN_JPEG - 64
_RESOLUTIONS = {X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT}
_CENTIMETRE, _INCH = 3, 2
_PER_INCH = 2.54
_FINEST = 1e6
"""Pixels an inch; more is no resolution."""
_COMMENT = "Comment"
"""PNG's keyword for what JPEG and GIF call a comment."""


@dataclass(frozen=True)
class Metadata:
    """What is kept beside the pixels; None or empty where the file does not say.

    Attributes:
        exif: block that begins with its marker, as Pillow's ``save`` takes it.
        xmp: packet, UTF-8.
        iptc: records of IPTC-IIM.
        text: keywords and texts of a PNG.
        comment: of a JPEG or GIF.
        resolution: horizontal and vertical pixels an inch.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    text: tuple[tuple[str, str], ...] = ()
    comment: str | None = None
    resolution: tuple[float, float] | None = None


def gathered(
    exif: Exif,
    xmp: bytes | None = None,
    iptc: bytes | None = None,
    text: tuple[tuple[str, str], ...] = (),
    comment: bytes | str | None = None,
    resolution: tuple[float, float] | None = None,
) -> tuple[Metadata, int, tuple[str, ...]]:
    """What a decoder found as a carrier without orientation, the orientation (1 to 8), and notes."""
    notes = []
    if exif.damaged:
        notes.append(f"{exif.damaged} damaged EXIF values left out")
    orientation = exif.whole(ORIENTATION) or xmp_orientation(xmp)
    kept, usable = exif.kept(), _usable(resolution) or _usable(_exif_resolution(exif))
    if X_RESOLUTION in kept.main and _exif_resolution(exif) in (None, (0.0, 0.0)):
        if _exif_resolution(exif) is None:
            notes.append("EXIF resolution left out: it is no number")
        kept = kept.without(_RESOLUTIONS)
    note = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else comment
    metadata = Metadata(
        None if kept.empty else kept.tobytes(), xmp or None, iptc or None, text, note or None, usable
    )
    return metadata, orientation if orientation in range(1, 9) else 1, tuple(notes)


def fitted(metadata: Metadata, form: Format, size: tuple[int, int]) -> tuple[Metadata, tuple[str, ...]]:
    """What a format holds of it, true of an image of ``size``, and in words what it does not."""
    lost: list[str] = []
    exif = Exif.parse(metadata.exif).sized(*size)
    if metadata.resolution and "resolution" not in form.holds and X_RESOLUTION not in exif.main:
        exif = exif.with_main(_entries(exif, metadata.resolution))
    block = None if exif.empty or "exif" not in form.holds else exif.tobytes()
    if form.name == "jpeg" and block is not None and len(block) > LONGEST_IN_JPEG:
        exif, names = exif.shortened(LONGEST_IN_JPEG)
        block = None if exif.empty else exif.tobytes()
        lost.append(f"JPEG holds 64 KiB of EXIF: left out {', '.join(names[:8])}")
    text, comment = _texts(metadata, form)
    fit = Metadata(
        block,
        _kept_bytes(_sized_xmp(metadata.xmp, size), form, "xmp", _XMP_IN_JPEG, lost),
        _kept_bytes(metadata.iptc, form, "iptc", _IPTC_IN_JPEG, lost),
        text,
        comment,
        metadata.resolution or _usable(_exif_resolution(exif)),
    )
    if metadata.exif and "exif" not in form.holds:
        lost.append(f"{form.pillow} holds no EXIF")
    missing = [key for key, _ in metadata.text if key not in dict(text)]
    if missing and not (comment and missing == [_COMMENT]):
        lost.append(f"{form.pillow} holds no texts as PNG does: left out {', '.join(missing[:8])}")
    if metadata.comment and comment is None and metadata.comment not in dict(text).values():
        lost.append(f"{form.pillow} holds no comment")
    if metadata.resolution and not ({"resolution", "exif"} & form.holds):
        lost.append(f"{form.pillow} holds no resolution")
    return fit, tuple(lost)


def without_gain_map(xmp: bytes) -> bytes:
    """An XMP packet that no longer announces a gain map, which restored images do not have."""
    xmp = re.sub(rb"\s+(?:hdrgm|HDRGainMap):\w+\s*=\s*(?:\"[^\"]*\"|'[^']*')", b"", xmp)
    xmp = re.sub(rb"<((?:hdrgm|HDRGainMap):\w+)\b[^>]*(?:/>|>.*?</\1>)", b"", xmp, flags=re.S)
    return re.sub(rb"<Container:Directory>.*?</Container:Directory>", b"", xmp, flags=re.S)


def announces_gain_map(xmp: bytes | None) -> bool:
    """Whether an XMP packet says that the file holds a gain map."""
    return re.search(rb"\b(?:hdrgm|HDRGainMap):[A-Z]", xmp or b"") is not None


def _kept_bytes(
    content: bytes | None, form: Format, part: str, longest: int, lost: list[str]
) -> bytes | None:
    if content is None:
        return None
    limit = {"jpeg": longest, "png": LONGEST_TEXT // (2 if part == "iptc" else 1)}.get(form.name)
    if part in form.holds and (limit is None or len(content) <= limit):
        return content
    why = (
        f"holds no {part.upper()}"
        if part not in form.holds
        else f"holds {limit} bytes of {part.upper()} at most"
    )
    lost.append(f"{form.pillow} {why}")
    return None


def _texts(metadata: Metadata, form: Format) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Texts and comment as a format holds them: either stands for the other where only one can be."""
    if "text" in form.holds:
        texts = metadata.text
        if metadata.comment and _COMMENT not in dict(texts):
            texts = (*texts, (_COMMENT, metadata.comment))
        return tuple((key, value) for key, value in texts if len(value.encode()) <= LONGEST_TEXT), None
    comment = metadata.comment or dict(metadata.text).get(_COMMENT)
    fits = "comment" in form.holds and comment is not None and len(comment.encode()) <= LONGEST_IN_JPEG
    return (), comment if fits else None


def _exif_resolution(exif: Exif) -> tuple[float, float] | None:
    """Pixels an inch; zeros where only the shape of a pixel is said, None where nothing is."""
    x, y = exif.ratio(X_RESOLUTION), exif.ratio(Y_RESOLUTION)
    unit = exif.whole(RESOLUTION_UNIT) or _INCH
    if x is None or y is None:
        return None
    if unit not in (_INCH, _CENTIMETRE):
        return 0.0, 0.0
    scale = _PER_INCH if unit == _CENTIMETRE else 1.0
    return x * scale, y * scale


def _usable(resolution: tuple[float, float] | None) -> tuple[float, float] | None:
    """A resolution that is one: no zeros, infinities or NaN, as broken files have."""
    if resolution is None or not all(0 < value <= _FINEST for value in resolution):
        return None
    return float(resolution[0]), float(resolution[1])


def _entries(exif: Exif, resolution: tuple[float, float]) -> Directory:
    ratios = [Fraction(value).limit_denominator(10_000) for value in resolution]
    x, y = (exif.entry_of(RATIONAL, ratio.numerator, ratio.denominator) for ratio in ratios)
    return {X_RESOLUTION: x, Y_RESOLUTION: y, RESOLUTION_UNIT: exif.entry_of(SHORT, _INCH)}


def xmp_orientation(xmp: bytes | None) -> int:
    """Orientation (1 to 8) that an XMP packet names; 1 where it names none."""
    found = re.search(rb"tiff:Orientation(?:\s*=\s*[\"']|>)\s*([1-8])", xmp or b"")
    return int(found[1]) if found else 1


def _sized_xmp(xmp: bytes | None, size: tuple[int, int]) -> bytes | None:
    """Orientation and size in XMP are those of the file, and readers believe them before EXIF."""
    if xmp is None:
        return None
    width, height = size
    for names, value in (
        (rb"tiff:Orientation", 1),
        (rb"tiff:ImageWidth|exif:PixelXDimension", width),
        (rb"tiff:ImageLength|exif:PixelYDimension", height),
    ):
        pattern = rb"(?<![/\w])(" + names + rb")(\s*=\s*[\"']|>)\s*\d+"
        xmp = re.sub(pattern, rb"\g<1>\g<2>%d" % value, xmp)
    return xmp
