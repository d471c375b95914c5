"""Colours that a file describes without an ICC profile: by code points (cICP, nclx) or by gamma and chromaticities."""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from vosr.imaging.errors import UnsupportedError
from vosr.imaging.profiles import is_srgb, space_of

_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    1: ("BT.709", (0.64, 0.33, 0.30, 0.60, 0.15, 0.06), _D65),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08), (0.310, 0.316)),
    5: ("BT.601, 625 lines", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06), _D65),
    6: ("BT.601, 525 lines", (0.63, 0.34, 0.31, 0.595, 0.155, 0.07), _D65),
    7: ("SMPTE 240M", (0.63, 0.34, 0.31, 0.595, 0.155, 0.07), _D65),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046), _D65),
    11: ("DCI-P3", (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.314, 0.351)),
    12: ("Display P3", (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), _D65),
}
"""ITU-T H.273, table 2: name, x and y of red, green and blue, and of white."""
_SRGB_CURVES, _GAMMAS, _HDR = (1, 6, 11, 13, 14, 15), {4: 2.2, 5: 2.8, 8: 1.0}, {16: "PQ", 18: "HLG"}
"""ITU-T H.273, table 3. BT.709's and its kin are taken for sRGB's, as browsers do."""
_UNSPECIFIED, _RGB_MATRIX = 2, 0
_HDR_PROFILES = (b"ITUR_2100_PQ_FULL", "ITUR_2100_PQ_FULL".encode("utf-16-be"))
_MOST_TAGS = 100
"""Of a profile."""
_NEAR = 0.05
"""A gamma this near to 1/2.2 stands for the curve of sRGB, as writers of sRGB's gAMA mean it."""


def profile_of_codes(primaries: int, transfer: int, full_range: bool = True, matrix: int = 0) -> bytes | None:
    """ICC profile of colours by code points; None for those of sRGB and where nothing is said.

    Raises:
        UnsupportedError: HDR, or code points that are not understood.
    """
    if transfer in _HDR:
        raise UnsupportedError(
            f"it is HDR ({_HDR[transfer]}), which is not restored; convert it to SDR first"
        )
    if primaries == _UNSPECIFIED and transfer == _UNSPECIFIED:
        return None
    primaries = 1 if primaries == _UNSPECIFIED else primaries
    transfer = 13 if transfer == _UNSPECIFIED else transfer
    known = primaries in _PRIMARIES and (transfer in _SRGB_CURVES or transfer in _GAMMAS)
    if not known or not full_range or matrix != _RGB_MATRIX:
        raise UnsupportedError(
            f"its colours (code points {primaries}/{transfer}/{matrix}/{int(full_range)}) are not supported"
        )
    _, xy, white = _PRIMARIES[primaries]
    return _profile(xy, white, _GAMMAS.get(transfer))


def profile_of_gamma(gamma: float | None, chromaticities: Sequence[float] | None, grey: bool) -> bytes | None:
    """ICC profile of a PNG's gAMA and cHRM; None for those of sRGB.

    Args:
        gamma: exponent of the file, such as 1/2.2.
        chromaticities: x and y of white, red, green and blue.
        grey: whether the image has one channel, which gamma alone describes.

    Raises:
        ValueError: values that describe no colours.
    """
    if gamma is not None and not 0.05 < gamma < 20:
        raise ValueError(f"gamma {gamma} is none")
    power = None if gamma is None or abs(gamma * 2.2 - 1) < _NEAR else 1 / gamma
    if grey:
        return None if power is None else bytes(imagecodecs.cms_profile("gray", gamma=power))
    white, xy = (
        (_D65, _PRIMARIES[1][1]) if chromaticities is None else (chromaticities[:2], chromaticities[2:])
    )
    return _profile(tuple(xy), (white[0], white[1]), power)


def refuse_hdr(profile: bytes) -> None:
    """Refuse an ICC profile that stands for HDR: by its code points, or by the name that PNG used before cICP.

    Raises:
        UnsupportedError: it does.
    """
    transfer = 16 if any(name in profile[:4096] for name in _HDR_PROFILES) else None
    for i in range(min(int.from_bytes(profile[128:132], "big"), _MOST_TAGS)):
        entry = profile[132 + 12 * i : 144 + 12 * i]
        if entry[:4] == b"cicp" and len(entry) == 12:
            at = int.from_bytes(entry[4:8], "big")
            transfer = int.from_bytes(profile[at + 9 : at + 10], "big")
    if transfer in _HDR:
        raise UnsupportedError(
            f"it is HDR ({_HDR[transfer]}), which is not restored; convert it to SDR first"
        )


def avif_codes(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer that the first colour box of an AVIF names; None where there is none."""
    for kind, body in _boxes(data, (b"meta", b"iprp", b"ipco")):
        if kind == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
            primaries, transfer = struct.unpack(">HH", body[4:8])
            return primaries, transfer
    return None


def avif_depth(data: bytes) -> int:
    """Largest number of bits a sample that an AVIF names; 8 where it names none."""
    bits = [
        b for kind, body in _boxes(data, (b"meta", b"iprp", b"ipco")) if kind == b"pixi" for b in body[5:9]
    ]
    return max(bits, default=8)


def _boxes(data: bytes, path: tuple[bytes, ...]) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of the boxes of ISO media within the first box of each kind of ``path``."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        size = len(data) - at if size == 0 else size
        if size < 8:
            return
        body = data[at + 8 : at + size]
        if path and kind == path[0]:
            yield from _boxes(body[4:] if kind == b"meta" else body, path[1:])
            return
        if not path:
            yield kind, body
        at += size


@lru_cache(maxsize=64)
def _profile(xy: Sequence[float], white: tuple[float, float], gamma: float | None) -> bytes | None:
    if any(not 0 < value < 1 for value in (*white, *xy[0::2])) or any(not -0.2 < y < 1.2 for y in xy[1::2]):
        raise ValueError("the chromaticities describe no colours")
    curve = {"gamma": gamma} if gamma is not None else {"transferfunction": _srgb_curve()}
    primaries = [value for i in range(0, 6, 2) for value in (xy[i], xy[i + 1], 1.0)]
    try:
        made = bytes(imagecodecs.cms_profile("rgb", whitepoint=[*white, 1.0], primaries=primaries, **curve))
    except imagecodecs.CmsError as error:
        raise ValueError("the chromaticities describe no colours") from error
    if space_of(made) is None:
        raise ValueError("the chromaticities describe no colours")
    return None if is_srgb(made) else made


def _srgb_curve() -> NDArray[np.uint16]:
    """SRGB's transfer function to linear light."""
    values = np.linspace(0, 1, 4096)
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return np.round(linear * 65535).astype(np.uint16)
