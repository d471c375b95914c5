"""Block cosine transform as an autoencoder that needs no weights."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vosr.autoencoders.base import Autoencoder
from vosr.core.types import RandomSource

# Opponent colours: grey, red - blue, red + blue - 2 green; orthonormal, they are the cosine transform of R, G and B.
# Per colour, of images in [-1, 1]: mean and std of a block's average (times the block size: the
# transform is orthonormal), then a and p of the std a / f^p at frequency f in cycles per pixel. Fitted
# for blocks of 4 and 8 on the half with more detail of 2500 tiles of 128 px of 31 photographs (Debian's
# lomiri-wallpapers and mate-backgrounds; none is used for validation), then a raised by half, midway to the
# crisper procedural images, and rounded.
_STATISTICS = (
    (-0.2, 0.7, 0.0300, 1.30),
    (0.1, 0.37, 0.0028, 1.75),
    (-0.1, 0.3, 0.0030, 1.50),
)


class DCTAutoencoder(Autoencoder):
    """Lowest cosine coefficients of each block: fixed, no download; latents are near unit variance.

    Each block of ``factor`` x ``factor`` pixels is transformed by an orthonormal DCT in an orthonormal
    opponent colour space; the first coefficients in zig-zag order are kept, centred and divided by the
    std that they have in photographs. ``decode(encode(x))`` is the orthogonal projection of ``x`` on
    the kept coefficients, exact for constant images. There is no posterior: ``sample`` changes nothing.

    The transform always runs in float32, under autocast too.

    Args:
        factor: block size in pixels, h = H / factor.
        luma: coefficients kept of the grey plane, 1 to factor squared.
        chroma: coefficients kept of each of the two colour planes, same range. C = luma + 2 * chroma.
        whitening: 1 gives every coefficient unit variance, 0 divides all by the std of the block average, so
            that errors in latents are errors in pixels; between them, a geometric mean.

    Raises:
        ValueError: a count outside 1 ... factor squared.
    """

    context = 0
    working_bytes = 64
    basis: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, factor: int = 4, luma: int = 10, chroma: int = 3, whitening: float = 1.0) -> None:
        super().__init__()
        if factor < 1 or not all(1 <= count <= factor**2 for count in (luma, chroma)):
            raise ValueError(f"luma and chroma must be 1 to factor^2 = {factor**2}, not {luma} and {chroma}.")
        self.factor = factor
        self.latent_channels = luma + 2 * chroma
        counts = enumerate((luma, chroma, chroma))
        if not 0 <= whitening <= 1:
            raise ValueError(f"whitening must be in [0, 1], not {whitening}.")
        kept = [(plane, u, v) for plane, count in counts for u, v in zigzag(factor)[:count]]
        statistics = coefficient_statistics(kept, factor)
        std = statistics[:, 1] ** whitening * statistics[0, 1] ** (1 - whitening)
        basis = block_waves(kept, 3, factor)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("mean", statistics[:, 0].view(-1, 1, 1), persistent=False)
        self.register_buffer("std", std.view(-1, 1, 1), persistent=False)

    def encode(self, image: Tensor, sample: bool = False, generator: RandomSource | None = None) -> Tensor:
        with torch.autocast(image.device.type, enabled=False):
            return (F.conv2d(image.float(), self.basis, stride=self.factor) - self.mean) / self.std

    def decode(self, latent: Tensor) -> Tensor:
        with torch.autocast(latent.device.type, enabled=False):
            return F.conv_transpose2d(latent.float() * self.std + self.mean, self.basis, stride=self.factor)


def zigzag(size: int) -> list[tuple[int, int]]:
    """(row, column) of the coefficients of a block, by anti-diagonals of alternating direction as in JPEG."""
    cells = [(u, v) for u in range(size) for v in range(size)]
    return sorted(cells, key=lambda cell: (sum(cell), cell[0] if sum(cell) % 2 else cell[1]))


def dct_matrix(size: int) -> Tensor:
    """Orthonormal DCT-II, (size, size) float64: row k is the cosine of k half-periods over the block."""
    k, i = torch.arange(size, dtype=torch.float64).view(-1, 1), torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi * (i + 0.5) * k / size) * math.sqrt(2 / size)
    return torch.cat([matrix[:1] / math.sqrt(2), matrix[1:]])


def strongest(count: int, channels: int, size: int) -> list[tuple[int, int, int]]:
    """(channel wave, row, column) of the ``count`` coefficients with the largest std in photographs.

    Args:
        count: at most ``channels * size^2``.
        channels: of the image; waves over them beyond the second are taken to be as strong as that.
        size: of a block in pixels.
    """
    every = [(wave, u, v) for wave in range(channels) for u, v in zigzag(size)]
    return sorted(every, key=lambda at: -_mean_std(at[0], math.hypot(*at[1:]), size)[1])[:count]


def block_waves(kept: list[tuple[int, int, int]], channels: int, size: int) -> Tensor:
    """Orthonormal waves over channels, rows and columns of a block, (len(kept), channels, size, size)."""
    wave, color = dct_matrix(size), dct_matrix(channels)
    planes, rows, columns = (list(indices) for indices in zip(*kept))
    return torch.einsum("kc,ki,kj->kcij", color[planes], wave[rows], wave[columns]).float()


def coefficient_statistics(kept: list[tuple[int, int, int]], size: int) -> Tensor:
    """Mean and std of each coefficient in photographs, (len(kept), 2)."""
    return torch.tensor([_mean_std(plane, math.hypot(u, v), size) for plane, u, v in kept])


def _mean_std(plane: int, half_periods: float, size: int) -> tuple[float, float]:
    mean, std, amplitude, power = _STATISTICS[min(plane, len(_STATISTICS) - 1)]
    if half_periods == 0:
        return mean * size, std * size
    return 0.0, amplitude / (half_periods / (2 * size)) ** power
