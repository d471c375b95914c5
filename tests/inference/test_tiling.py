from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosr.inference.tiling import Tile, blend, feather, padded_side, reflected, spread, starts, tiles, window


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 400), st.integers(2, 40), st.data())
def test_starts_cover_everything_with_enough_overlap(cells, tile_patches, data):
    length, tile = 2 * cells, 2 * tile_patches
    overlap = data.draw(st.integers(0, tile // 2))
    firsts = starts(length, tile, overlap, step=2)
    assert firsts[0] == 0
    assert all(first % 2 == 0 for first in firsts)
    if length <= tile:
        assert firsts == [0]
        return
    assert firsts[-1] + tile == length
    assert all(0 < b - a <= tile - overlap + 2 for a, b in pairwise(firsts))


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_blend_of_the_identity_is_the_identity(batch):
    latent = torch.randn(2, 3, 37, 50)
    parts = tiles(37, 50, 16, 4)
    blended = blend(latent, parts, lambda group: [tile.of(latent) for tile in group], batch)
    torch.testing.assert_close(blended, latent, atol=1e-5, rtol=1e-5)


def test_blend_is_smooth_between_two_disagreeing_tiles():
    """One tile says 0, the other 1: the blend rises steadily over the overlap, without a step."""
    latent = torch.zeros(1, 1, 16, 24)
    parts = tiles(16, 24, 16, 8)
    row = blend(latent, parts, lambda group: [torch.full((1, 1, 16, 16), parts.index(group[0]))])[0, 0, 8]
    assert bool((row.diff() >= 0).all())
    assert float(row.diff().max()) < 0.35
    assert float(row[:8].max()) == 0
    assert float(row[16:].min()) == 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 64), st.integers(1, 12))
def test_spread_pieces_lie_inside_and_are_no_more_than_asked(height, width, side, count):
    pieces = spread(height, width, side, count)
    assert 1 <= len(pieces) <= count
    for piece in pieces:
        assert 0 <= piece.top < piece.bottom <= height
        assert 0 <= piece.left < piece.right <= width
        assert (piece.bottom - piece.top, piece.right - piece.left) == (min(side, height), min(side, width))


def test_feather_has_a_margin_then_rises_to_one():
    weights = feather(20, before=9, after=0, margin=3)
    assert weights[:3].tolist() == [0, 0, 0]
    assert bool((weights[3:6].diff() > 0).all())
    assert weights[6:].tolist() == [1] * 14
    assert torch.equal(feather(20, 0, 9, 3), weights.flip(0))


def test_window_is_symmetric_and_positive():
    weights = window(8, 12)
    assert float(weights.min()) > 0
    torch.testing.assert_close(weights, weights.flip(0).flip(1))


def test_tile_cuts_pixels_and_cells_alike():
    tile = Tile(1, 2, 3, 5)
    latent = torch.arange(36.0).view(1, 1, 6, 6)
    image = latent.repeat_interleave(4, -1).repeat_interleave(4, -2)
    assert torch.equal(tile.of(image, 4)[..., ::4, ::4], tile.of(latent))


@pytest.mark.parametrize(
    ("side", "multiple", "least"), [(5, 8, 0), (16, 8, 0), (3, 4, 32), (1, 2, 6), (17, 8, 20)]
)
def test_padded_side_is_the_next_multiple(side, multiple, least):
    height = padded_side(side, multiple, least)
    assert height % multiple == 0
    assert 0 <= height - max(side, least) < multiple


def test_reflection_repeats_no_edge_and_goes_back_and_forth():
    assert reflected(3, 8).tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert reflected(1, 3).tolist() == [0, 0, 0]


def test_the_window_blends_more_smoothly_than_the_references(monkeypatch):
    """Largest step between two cells where two tiles of 64 that share 16 disagree by 1; the docstring's figures."""
    from vosr.inference import tiling

    def step():
        latent, parts = torch.zeros(1, 1, 64, 112), tiles(64, 112, 64, 16)
        values = lambda group: [torch.full((1, 1, 64, 64), float(parts.index(group[0])))]  # noqa: E731
        return float(blend(latent, parts, values)[0, 0, 8].diff().max())

    assert step() == pytest.approx(0.10, abs=0.005)
    axis = torch.exp(-0.5 * (((torch.arange(64) + 0.5) / 64 - 0.5) / 0.1).square())
    monkeypatch.setattr(tiling, "window", lambda *_: axis[:, None] * axis)
    assert step() == pytest.approx(0.28, abs=0.01)
