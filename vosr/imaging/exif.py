"""EXIF of a restored image: everything that is still true of it."""

from typing import Any

from PIL import ExifTags, Image

ORIENTATION = 0x0112
LONGEST_IN_JPEG = 65533
"""A JPEG segment holds 65535 bytes, two of them its length."""
_LAYOUT = {
    *range(254, 260), 262, 266, ORIENTATION, *range(273, 282), *range(284, 294), 301, *range(317, 326), 330, 332,
    *range(336, 348), *range(512, 533), 700, 32997, 32998, 33723, 34377, 34675, 40965, 50838, 50839,
}  # fmt: skip
"""Tags that say how a TIFF is stored, or hold blocks of other programs: not what the photograph is."""
_BLOCKS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_MAKER_NOTE, _WIDTH, _HEIGHT = 0x927C, 0xA002, 0xA003


def kept_exif(exif: Image.Exif) -> bytes | None:
    """EXIF without orientation, thumbnail and what belongs to a TIFF's storage; None where nothing is left."""
    kept = Image.Exif()
    kept.endian = exif.endian or "<"
    for tag, value in exif.items():
        if tag not in _LAYOUT and tag not in _BLOCKS:
            kept[tag] = value
    for block in _BLOCKS:
        content: dict[int, Any] = dict(exif.get_ifd(block))
        if ExifTags.IFD.Interop in content:
            content[ExifTags.IFD.Interop] = dict(exif.get_ifd(ExifTags.IFD.Interop))
        if content:
            kept[block] = content
    return kept.tobytes() if len(kept) else None


def exif_for(exif: bytes, width: int, height: int, longest: int | None = None) -> bytes:
    """EXIF with the image's new size; the camera's private notes go where the whole would be too long."""
    loaded = Image.Exif()
    loaded.load(exif)
    if ExifTags.IFD.Exif not in loaded:
        return exif
    photo = loaded.get_ifd(ExifTags.IFD.Exif)
    for tag, side in ((_WIDTH, width), (_HEIGHT, height)):
        if tag in photo:
            photo[tag] = side
    if longest is not None and len(loaded.tobytes()) > longest:
        photo.pop(_MAKER_NOTE, None)
    return loaded.tobytes()
