"""Between the colours of films (YCbCr, 8 bits or more) and arrays of RGB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

HD = (1280, 720)
"""Width or height from which a film that does not say so has the colours of BT.709, below BT.601."""
BT709, BT601 = 1, 5
RGB, UNSPECIFIED = 0, 2
HDR = (16, 18)
"""Transfer functions PQ and HLG."""


def pixels_of(frame: Any) -> NDArray:
    """RGB of a frame of PyAV, (H, W, 3): uint8, or uint16 where it has more than 8 bits."""
    deep = max(component.bits for component in frame.format.components) > 8
    pixels: NDArray = frame.to_ndarray(format="rgb48le" if deep else "rgb24", src_colorspace=_matrix(frame))
    return pixels


def video_frame(av: Any, image: NDArray, pix_fmt: str, like: Any) -> Any:
    """A frame with the colour matrix of ``like``."""
    form = "rgb48le" if image.dtype == np.uint16 else "rgb24"
    frame = av.VideoFrame.from_ndarray(image, format=form)
    return frame.reformat(format=pix_fmt, dst_colorspace=_matrix(like))


def tag(encoder: Any, decoder: Any) -> None:
    """Tag the new film with the colours of the old one."""
    encoder.colorspace = _matrix(decoder)
    encoder.color_primaries, encoder.color_trc = decoder.color_primaries, decoder.color_trc


def unsupported_features(frame: Any) -> list[str]:
    """What a film loses on the way, in words, judged by its first image."""
    lost = {
        "transparency is left out": any(component.is_alpha for component in frame.format.components),
        "its two fields per image (interlaced) were taken for one": frame.interlaced_frame,
        "HDR was restored as if it were not": int(frame.color_trc) in HDR,
    }
    return [words for words, true in lost.items() if true]


def _matrix(frame: Any) -> int:
    known = int(frame.colorspace)
    if known not in (RGB, UNSPECIFIED):
        return known
    return BT709 if frame.width >= HD[0] or frame.height >= HD[1] else BT601
