"""Images enlarged to the output size, cut out where they are needed and never held whole."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vosr.imaging.enlarging import BICUBIC, enlarged_part
from vosr.inference.tiling import reflected


class Enlarged:
    """Images of one shape under Pillow's bicubic (a = -0.5): it is a part of the model (docs/method.md#sampling).

    8-bit images are enlarged in 8 bits, as the released models are fed; others in float32.

    Args:
        images: arrays (H, W, 3) of one shape; uint8, uint16, or floating point in [0, 1].
        size: width and height of the output.
        padded: width and height after padding by reflection at the right and the bottom; at least ``size``.
        kernel: Lanczos for what colours are corrected by (docs/method.md#colour-correction).
    """

    def __init__(
        self,
        images: list[NDArray],
        size: tuple[int, int],
        padded: tuple[int, int],
        kernel: Image.Resampling = BICUBIC,
    ) -> None:
        self.kernel = kernel
        self.planes = [_planes(image) for image in images]
        self.source_size = self.planes[0][0].size
        self.width, self.height = size
        self.columns, self.rows = (reflected(side, whole) for side, whole in zip(size, padded))

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width after padding."""
        return len(self.rows), len(self.columns)

    def cut(self, top: int, left: int, bottom: int, right: int, which: slice = slice(None)) -> Tensor:
        """Rows [top, bottom) and columns [left, right) of the padded images, (B, 3, ·, ·) float32 in [0, 1]."""
        rows, columns = self.rows[top:bottom], self.columns[left:right]
        box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        image = torch.stack([self._enlarge(planes, box) for planes in self.planes[which]])
        return image[:, :, rows - box[1]][..., columns - box[0]]

    def overview(self, side: int) -> Tensor:
        """The whole images at most ``side`` pixels long and no larger than the output, (B, 3, ·, ·) in [0, 1]."""
        shrink = min(1.0, side / max(self.width, self.height))
        size = max(1, round(self.width * shrink)), max(1, round(self.height * shrink))
        return torch.stack(
            [
                _tensor([plane.resize(size, Image.Resampling.BICUBIC) for plane in planes])
                for planes in self.planes
            ]
        )

    def _enlarge(self, planes: list[Image.Image], box: tuple[int, int, int, int]) -> Tensor:
        """Output pixels of ``box``: left, top, right, bottom."""
        left, top, right, bottom = box
        across, down = self.source_size[0] / self.width, self.source_size[1] / self.height
        source = left * across, top * down, right * across, bottom * down
        return _tensor(enlarged_part(planes, (right - left, bottom - top), source, self.kernel))


def _planes(image: NDArray) -> list[Image.Image]:
    """One 8-bit RGB image, or three images of floating-point values in [0, 1]."""
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"Expected a colour image (H, W, 3), not shape {image.shape}.")
    if image.dtype == np.uint8:
        return [Image.fromarray(np.ascontiguousarray(image))]
    if image.dtype == np.uint16:
        image = image / np.float32(65535)
    elif not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"Images must be uint8, uint16 or floating point, not {image.dtype}.")
    if not np.isfinite(image).all():
        raise ValueError("The image holds values that are not finite.")
    values = np.clip(image, 0, 1).astype(np.float32)
    return [Image.fromarray(np.ascontiguousarray(values[..., channel])) for channel in range(3)]


def _tensor(planes: list[Image.Image]) -> Tensor:
    if len(planes) == 1:
        return torch.from_numpy(np.array(planes[0])).permute(2, 0, 1).float() / 255
    return torch.from_numpy(np.stack([np.asarray(plane) for plane in planes])).clamp(0, 1)
