"""Images of different sizes in one tensor.

Every image lies in the top left corner of a common canvas; to the right and below, its edge is repeated. All
geometry is separable, so it is done by two small matrices per image, exactly and without a loop.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MODES = ("area", "bilinear", "bicubic")
BICUBIC_A = -0.75  # torch's
FFT_MULTIPLE = 32  # sizes of small prime factors transform faster


@dataclass(frozen=True)
class Canvas:
    """Batch of images of different sizes.

    Attributes:
        image: (B, 3, canvas height, canvas width).
        height: true heights, int64 (B,), on the CPU.
        width: true widths, int64 (B,), on the CPU.
    """

    image: Tensor
    height: Tensor
    width: Tensor


def whole(image: Tensor) -> Canvas:
    """A batch of one size as a canvas."""
    batch, _, height, width = image.shape
    return Canvas(image, torch.full((batch,), height), torch.full((batch,), width))


def resize(
    canvas: Canvas, height: Tensor, width: Tensor, mode: Tensor, factor: Tensor | None = None
) -> Canvas:
    """Resize each image as ``torch.nn.functional.interpolate(align_corners=False)`` would.

    Args:
        canvas: input.
        height: new heights, (B,).
        width: new widths, (B,).
        mode: index into :data:`MODES`, (B,).
        factor: new size over old before rounding down, float64 (B,), as ``scale_factor`` would have it: bilinear and
            bicubic positions are stepped by 1 / factor. By default as ``size`` would: by the ratio of the sizes.
    """
    image = canvas.image
    same = (height == canvas.height) & (width == canvas.width)
    still = True if factor is None else (factor == 1) | (mode != MODES.index("bicubic"))
    if bool((same & still).all()):
        return canvas  # at the same size torch's bicubic alone moves, by a fraction of a pixel
    before = canvas.height == image.shape[2], canvas.width == image.shape[3]
    alike = [height == height[0], width == width[0], mode == mode[0]]
    alike += [] if factor is None else [factor == factor[0]]
    if all(bool(same.all()) for same in (*before, *alike)):
        how = MODES[int(mode[0])]
        size = (int(height[0]), int(width[0]))
        if factor is None or how == "area":
            return Canvas(F.interpolate(image, size, mode=how), height, width)
        return Canvas(_stepped(image, size, float(factor[0]), how), height, width)
    rows = resize_matrices(canvas.height, height, mode, image.shape[2], factor)
    columns = resize_matrices(canvas.width, width, mode, image.shape[3], factor)
    rows, columns = (matrix.to(image, non_blocking=True) for matrix in (rows, columns))
    return Canvas(rows[:, None] @ image @ columns.mT[:, None], height, width)


def _stepped(image: Tensor, size: tuple[int, int], factor: float, mode: str) -> Tensor:
    """Interpolation by a factor; by sizes where a side would have no pixel and gets one."""
    if min(int(side * factor) for side in image.shape[2:]) < 1:
        return F.interpolate(image, size, mode=mode)
    return F.interpolate(image, scale_factor=factor, mode=mode)


def filter2d(canvas: Canvas, kernels: Tensor) -> Canvas:
    """Correlate each image with its own odd kernel (B, k, k), reflecting at its true border."""
    radius = kernels.shape[-1] // 2
    image = canvas.image
    centre = kernels[:, radius, radius]
    if kernels.device.type == "cpu" and bool((centre == 1).all()) and kernels.count_nonzero() == len(kernels):
        return canvas
    padded = _reflected(canvas, radius)
    size = [-(-side // FFT_MULTIPLE) * FFT_MULTIPLE for side in padded.shape[-2:]]
    kernels = kernels.to(image, non_blocking=True).flip(-2, -1)
    spectrum = torch.fft.rfft2(padded, s=size).mul_(torch.fft.rfft2(kernels, s=size)[:, None])
    filtered = torch.fft.irfft2(spectrum, s=size)[..., 2 * radius :, 2 * radius :]
    filtered = filtered[..., : image.shape[2], : image.shape[3]]
    return Canvas(edge_repeated(filtered, canvas.height, canvas.width), canvas.height, canvas.width)


def resize_matrices(
    before: Tensor, after: Tensor, mode: Tensor, canvas: int, factor: Tensor | None = None
) -> Tensor:
    """Resampling weights (B, largest new size, canvas); rows past an image's new size repeat its last one."""
    largest = int(after.max())
    position = torch.minimum(torch.arange(largest)[None], after[:, None] - 1).float()
    ratio = before / after
    if factor is not None:  # a side that stays as long is copied, except by bicubic interpolation
        ratio = torch.where((before != after) | (mode == MODES.index("bicubic")), 1 / factor, ratio)
    ratio = ratio.float()[:, None]
    last = (before - 1)[:, None]
    centre = (position + 0.5) * ratio - 0.5
    weights = (
        lambda: _area(position, before, after, canvas),
        lambda: _taps(centre.clamp_min(0), (0, 1), _linear, last, canvas),
        lambda: _taps(centre, (-1, 0, 1, 2), _cubic, last, canvas),
    )
    first, *others = mode.unique().tolist()
    matrices = weights[first]()
    for other in others:
        matrices = torch.where((mode == other).view(-1, 1, 1), weights[other](), matrices)
    return matrices


def _area(position: Tensor, before: Tensor, after: Tensor, canvas: int) -> Tensor:
    """Mean over [floor(i n / m), ceil((i + 1) n / m)), in whole numbers."""
    index, before, after = position.long(), before[:, None], after[:, None]
    start, end = index * before // after, -(-(index + 1) * before // after)
    source = torch.arange(canvas)
    covered = (source >= start[..., None]) & (source < end[..., None])
    return covered.float() / (end - start)[..., None]


def _taps(
    centre: Tensor, offsets: tuple[int, ...], weight: Callable[[Tensor], Tensor], last: Tensor, canvas: int
) -> Tensor:
    first = centre.floor()
    matrix = torch.zeros(*centre.shape, canvas)
    for offset in offsets:
        source = torch.minimum((first + offset).long().clamp_min(0), last)
        matrix.scatter_add_(2, source[..., None], weight((centre - first - offset).abs())[..., None])
    return matrix


def _linear(distance: Tensor) -> Tensor:
    return 1 - distance


def _cubic(distance: Tensor) -> Tensor:
    a, d = BICUBIC_A, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, far)


def _reflected(canvas: Canvas, radius: int) -> Tensor:
    """Images with ``radius`` more pixels at every side, reflected without repeating the edge."""
    image = canvas.image
    height, width = image.shape[2:]
    if radius < min(height, width) and bool(((canvas.height == height) & (canvas.width == width)).all()):
        return F.pad(image, (radius,) * 4, mode="reflect")
    rows = _reflected_index(canvas.height, height, radius).to(image.device, non_blocking=True)
    columns = _reflected_index(canvas.width, width, radius).to(image.device, non_blocking=True)
    padded = image.gather(2, rows[:, None, :, None].expand(-1, 3, -1, width))
    return padded.gather(3, columns[:, None, None, :].expand(-1, 3, padded.shape[2], -1))


def _reflected_index(size: Tensor, canvas: int, radius: int) -> Tensor:
    """Source of every padded row, per image, (B, canvas + 2r)."""
    position = torch.arange(-radius, canvas + radius)[None]
    period = (2 * (size - 1)).clamp_min(1)[:, None]
    folded = position.remainder(period)
    return torch.minimum(folded, period - folded).clamp_max(canvas - 1)


def edge_repeated(image: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Replace what lies past each image's true size by its last row and column."""
    if bool((height == image.shape[2]).all() and (width == image.shape[3]).all()):
        return image
    rows = torch.minimum(torch.arange(image.shape[2])[None], height[:, None] - 1)
    columns = torch.minimum(torch.arange(image.shape[3])[None], width[:, None] - 1)
    rows, columns = (index.to(image.device, non_blocking=True) for index in (rows, columns))
    image = image.gather(2, rows[:, None, :, None].expand_as(image))
    return image.gather(3, columns[:, None, None, :].expand_as(image))
