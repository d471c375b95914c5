"""Images of every type as colour arrays, and back to the same type."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vosr.imaging.neutral import luma_rows

Single = Image.Image | NDArray | Tensor


class Converted(NamedTuple):
    """An image ready to be restored.

    Attributes:
        array: colours (H, W, 3); uint8, uint16, or floating point in [0, 1].
        close: turns a restored array, of any size, into an image of the original's type.
    """

    array: NDArray
    close: Callable[[NDArray], Single]


def open_image(image: Single) -> Converted:
    """Colours of a PIL image, an array (H, W, 3) or a tensor (3, H, W).

    Raises:
        ValueError: not an image, or not one in colour.
    """
    if isinstance(image, Image.Image):
        return _open_pil(image)
    if not isinstance(image, np.ndarray | Tensor):
        raise ValueError(
            f"Expected a PIL image, an array or a tensor, not {type(image).__name__}; PIL.Image.open opens files."
        )
    array = image.detach().movedim(0, -1).cpu().numpy() if isinstance(image, Tensor) else image
    if array.ndim != 3 or array.shape[2] != 3:
        raise ValueError(
            "Expected a PIL image, an (H, W, 3) array, a (3, H, W) tensor or a batch of them, not shape "
            f"{tuple(image.shape)}."
        )
    if isinstance(image, Tensor):
        return Converted(array, lambda result: torch.from_numpy(result).movedim(-1, 0).to(image.device))
    return Converted(array, lambda result: result)


def _open_pil(image: Image.Image) -> Converted:
    """Colour is restored; alpha is enlarged; grey stays grey, 16-bit grey stays 16-bit."""
    if image.mode == "F":
        raise ValueError("An image of mode F has no agreed range; give an array in [0, 1].")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        return Converted(
            np.repeat(grey[..., None], 3, axis=2), lambda result: Image.fromarray(luma_rows(result)[..., 0])
        )
    colours = np.array(image.convert("RGB"))
    if image.mode in ("L", "1"):
        return Converted(colours, lambda result: Image.fromarray(luma_rows(result)[..., 0]))
    if "A" not in image.getbands() and "transparency" not in image.info:
        return Converted(colours, Image.fromarray)
    alpha = image.convert("RGBA").getchannel("A")

    def close(result: NDArray) -> Image.Image:
        restored = Image.fromarray(result)
        restored.putalpha(alpha.resize(restored.size, Image.Resampling.BICUBIC))
        return restored

    return Converted(colours, close)


def as_array(image: Tensor, dtype: np.dtype) -> NDArray:
    """(3, H, W) in [0, 1] -> (H, W, 3): uint8 and uint16 over their whole range, floating point as it is."""
    whole = not np.issubdtype(dtype, np.floating)
    values = image.mul(np.iinfo(dtype).max).round_() if whole else image
    return values.movedim(0, -1).numpy().astype(dtype, order="C")
