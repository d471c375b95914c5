"""Seamless encoding and decoding in tiles."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from vosr.autoencoders import Autoencoder
from vosr.inference.normalisation import Statistics
from vosr.inference.tiling import feather, spread, starts

Cut = Callable[[int, int, int, int], Tensor]
"""(top, left, bottom, right) in pixels -> images (B, 3, ·, ·) in [0, 1]."""
Run = Callable[[Callable[[], Tensor]], Tensor]
"""Runs a call of the autoencoder in its dtype."""
PIECES = 8
"""Pieces of half a tile's side that the statistics of group norms are taken from."""


@dataclass(frozen=True)
class Span:
    """Cells [start, end) of one axis, and the weights (cells * factor,) of its pixels or cells."""

    start: int
    end: int
    weights: Tensor


def spans(length: int, side: int, context: int, factor: int = 1) -> list[Span]:
    """Overlapping spans that cover ``length`` cells; their weights add up to one everywhere.

    Args:
        length: cells.
        side: cells a span.
        context: cells at an inner border that lack context and get no weight; neighbours share three times as many.
        factor: weights per cell.
    """
    firsts = starts(length, min(side, length), 3 * context)
    ends = [first + min(side, length) for first in firsts]
    total, raw = torch.zeros(length * factor), []
    for i, (first, end) in enumerate(zip(firsts, ends)):
        before = ends[i - 1] - first if i else 0
        after = end - firsts[i + 1] if i + 1 < len(firsts) else 0
        raw.append(feather((end - first) * factor, before * factor, after * factor, context * factor))
        total[first * factor : end * factor] += raw[-1]
    return [
        Span(first, end, weights / total[first * factor : end * factor])
        for first, end, weights in zip(firsts, ends, raw)
    ]


def encode(autoencoder: Autoencoder, run: Run, cut: Cut, height: int, width: int, side: int) -> Tensor:
    """Latent of one image of height x width cells, (1, C, height, width), on the autoencoder's device.

    Args:
        autoencoder: encodes by its posterior's mode.
        run: how a call is made.
        cut: the image.
        height: in cells.
        width: in cells.
        side: of the tiles in cells.
    """
    f = autoencoder.factor
    rows, columns = (spans(length, side, autoencoder.context) for length in (height, width))

    def encoded(top: int, left: int, bottom: int, right: int) -> Tensor:
        return autoencoder.encode(cut(top * f, left * f, bottom * f, right * f) * 2 - 1)

    if len(rows) == len(columns) == 1:
        return run(partial(encoded, 0, 0, height, width))
    pieces = [p.corners for p in spread(height, width, side // 2, PIECES)]

    def sample() -> Tensor:
        return torch.cat([cut(*(f * at for at in piece)) for piece in pieces]) * 2 - 1

    with _statistics(autoencoder, run, sample, True):
        latent: Tensor | None = None
        for row in rows:
            for column in columns:
                part = run(partial(encoded, row.start, column.start, row.end, column.end))
                if latent is None:
                    latent = part.new_zeros(1, part.shape[1], height, width)
                weights = (row.weights[:, None] * column.weights).to(part)
                latent[..., row.start : row.end, column.start : column.end] += part * weights
    assert latent is not None
    return latent


def decode_rows(autoencoder: Autoencoder, run: Run, latent: Tensor, side: int) -> Iterator[Tensor]:
    """Image of ``latent`` (1, C, h, w) from top to bottom, as strips (1, 3, rows, w * factor) in [0, 1] on the CPU.

    Args:
        autoencoder: decodes.
        run: how a call is made.
        latent: of one image.
        side: of the tiles in cells.
    """
    f = autoencoder.factor
    height, width = latent.shape[-2:]
    rows, columns = (spans(length, side, autoencoder.context, f) for length in (height, width))
    if len(rows) == len(columns) == 1:
        yield _pixels(run(lambda: autoencoder.decode(latent)).cpu())
        return
    pieces = spread(height, width, side // 2, PIECES)
    with _statistics(autoencoder, run, lambda: torch.cat([piece.of(latent) for piece in pieces]), False):
        carried = torch.zeros(1, 3, 0, width * f)
        for i, row in enumerate(rows):
            band = torch.zeros(1, 3, (row.end - row.start) * f, width * f)
            band[:, :, : carried.shape[2]] = carried
            for column in columns:
                tile = latent[..., row.start : row.end, column.start : column.end]
                part = run(partial(autoencoder.decode, tile)).cpu()
                band[..., column.start * f : column.end * f] += part * row.weights[:, None] * column.weights
            ready = ((rows[i + 1].start if i + 1 < len(rows) else row.end) - row.start) * f
            carried = band[:, :, ready:].clone()
            yield _pixels(band[:, :, :ready])
            del band


def _pixels(decoded: Tensor) -> Tensor:
    """From [-1, 1] to [0, 1], in place: strips of large images are large."""
    return decoded.add_(1).div_(2).clamp_(0, 1)


def _statistics(
    autoencoder: Autoencoder, run: Run, pieces: Callable[[], Tensor], encoding: bool
) -> AbstractContextManager[None]:
    """A context in which every tile is normalised alike; nothing to do for an autoencoder without group norms."""
    statistics = Statistics(autoencoder)
    if not statistics.norms:
        return nullcontext()
    sample = pieces()
    with statistics.taken():
        run(partial(autoencoder.encode if encoding else autoencoder.decode, sample))
    return statistics.applied()
