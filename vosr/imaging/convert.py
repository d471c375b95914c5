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
OVERSHOOT = 0.5
"""How far floating-point values may lie outside [0, 1]."""


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
        ValueError: not an image, not one in colour, or floating point outside [0, 1].
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
    _check_range(array)
    if isinstance(image, Tensor):
        return Converted(array, lambda result: torch.from_numpy(result).movedim(-1, 0).to(image.device))
    return Converted(array, lambda result: result)


def _check_range(array: NDArray) -> None:
    """Refuse floating point in 0–255 or in [-1, 1]; what filters overshoot by is let through, and clipped later."""
    if np.issubdtype(array.dtype, np.floating) and array.size:
        low, high = float(array.min()), float(array.max())
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # also where they are not numbers
            raise ValueError(
                f"Floating-point images hold values in [0, 1]; this one has {low:.3g} to {high:.3g}. Divide by 255, or "
                "give integers."
            )


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
