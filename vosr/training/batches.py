"""Conversion of any data module's batches to those of the training step."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vosr.core.types import Batch
from vosr.imaging.formats import SUFFIXES

_IMAGES = ("hq", "image", *(suffix[1:] for suffix in SUFFIXES))
_KEYS = ("key", "__key__")


def as_batch(value: Any, name: str = "batch") -> Batch:
    """The batch that ``value`` stands for.

    Args:
        value: a :class:`Batch`; a tensor of clean images; a sequence with that tensor alone (``TensorDataset``); or a
            mapping with ``hq`` (or ``image``, or an image type as in a webdataset sample), ``lq`` where there are
            pairs, and ``key`` or ``__key__``. Images are (B, C, H, W), uint8 or floating point in [0, 1].
        name: keys begin with it where ``value`` has none.

    Raises:
        ValueError: it is nothing of the kind.
    """
    if isinstance(value, Batch):
        return value
    if isinstance(value, Sequence) and len(value) == 1:
        value = value[0]
    if isinstance(value, Tensor):
        value = {"hq": value}
    found = next((key for key in _IMAGES if key in value), None) if isinstance(value, Mapping) else None
    if found is None:
        held = f" with {', '.join(map(str, list(value)[:6]))}" if isinstance(value, Mapping) else ""
        raise ValueError(
            f"A batch is a tensor of clean images or a mapping with hq (and lq, key), not {type(value).__name__}{held}."
        )
    hq = _eight_bit(value[found], found)
    lq = None if value.get("lq") is None else _eight_bit(value["lq"], "lq")
    if lq is not None and lq.shape != hq.shape:
        raise ValueError(f"lq is {tuple(lq.shape)} and {found} {tuple(hq.shape)}: both need the same size.")
    keys = next((value[key] for key in _KEYS if key in value), None)
    keys = [f"{name}-{i}" for i in range(len(hq))] if keys is None else [str(key) for key in keys]
    return Batch(hq=hq, lq=lq, key=keys)


def _eight_bit(images: Any, name: str) -> Tensor:
    if not isinstance(images, Tensor) or images.ndim != 4:
        shape = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"{name} must be a tensor (B, C, H, W), not {shape}.")
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise ValueError(f"{name} must be uint8 or floating point in [0, 1], not {images.dtype}.")
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)


def check_channels(images: Tensor, channels: int) -> None:
    """Refuse images (B, C, H, W) of another number of channels.

    Raises:
        ValueError: with both numbers.
    """
    if images.shape[1] != channels:
        raise ValueError(
            f"The data have images of {images.shape[1]} channels, and this model takes {channels}."
        )


def check_multiple(side: int, multiple: int) -> None:
    """Refuse training crops whose sides the model would cut off.

    Raises:
        ValueError: with the sizes that would do.
    """
    if side % multiple:
        below = side // multiple * multiple
        sizes = " or ".join(str(size) for size in (below, below + multiple) if size)
        raise ValueError(
            f"Crops of {side} pixels do not fit this model, which takes multiples of {multiple}: set data.crop_size to "
            f"{sizes}."
        )
