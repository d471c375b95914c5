import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from images import textured
from PIL import Image

from vosr.inference.enlarge import Enlarged
from vosr.inference.tiling import reflected


def pillow(image, size):
    """Rows, then columns: the order of every Pillow before 13, and of Pillow 13 where the scales are equal."""
    wide = Image.fromarray(image).resize((size[0], image.shape[0]), Image.Resampling.BICUBIC)
    resized = np.asarray(wide.resize(size, Image.Resampling.BICUBIC))
    return torch.from_numpy(resized.copy()).permute(2, 0, 1)[None].float() / 255


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_cut_equals_the_whole_that_pillow_makes(data):
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    scale = data.draw(st.floats(1, 5))
    size = max(width, round(width * scale)), max(height, round(height * scale))
    padded = size[0] + data.draw(st.integers(0, 90)), size[1] + data.draw(st.integers(0, 90))
    image = textured(height, width)
    top, left = data.draw(st.integers(0, padded[1] - 1)), data.draw(st.integers(0, padded[0] - 1))
    bottom, right = data.draw(st.integers(top + 1, padded[1])), data.draw(st.integers(left + 1, padded[0]))
    cut = Enlarged([image], size, padded).cut(top, left, bottom, right)
    columns, rows = (
        reflected(side, length)[a:b] for side, length, a, b in zip(size, padded, (left, top), (right, bottom))
    )
    whole = pillow(image, size)[:, :, rows][..., columns]
    # Pillow's fixed-point weights of a cut may differ in their last bit from those of the whole.
    assert float((cut - whole).abs().max()) * 255 <= 1.001


def test_eight_bits_are_to_the_bit_at_whole_scales():
    image = textured(50, 60)
    enlarged = Enlarged([image], (240, 200), (240, 200))
    whole = pillow(image, (240, 200))
    at_once = Image.fromarray(image).resize((240, 200), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(at_once), (whole[0] * 255).permute(1, 2, 0).numpy().round())
    for top, left in ((0, 0), (37, 91), (120, 176)):
        assert torch.equal(
            enlarged.cut(top, left, top + 64, left + 64), whole[..., top : top + 64, left : left + 64]
        )


def test_sixteen_bits_and_floats_keep_their_depth():
    ramp = np.linspace(0, 1, 900, dtype=np.float32).reshape(1, 300, 3).repeat(8, 0)
    sixteen = np.round(ramp * 65535).astype(np.uint16)
    for image in (ramp, sixteen):
        cut = Enlarged([image], (600, 16), (600, 16)).cut(0, 0, 16, 600)
        assert len(cut[0, 0, 8].unique()) > 500
    assert float((cut - Enlarged([ramp], (600, 16), (600, 16)).cut(0, 0, 16, 600)).abs().max()) < 1e-4


def test_overview_shows_the_whole():
    image = np.zeros((40, 80, 3), np.uint8)
    image[:, 40:] = 255
    seen = Enlarged([image], (320, 160), (320, 160)).overview(64)
    assert seen.shape == (1, 3, 32, 64)
    assert float(seen[..., :28].max()) < 0.05
    assert float(seen[..., 36:].min()) > 0.95


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_other_shapes_are_refused(wrong):
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        Enlarged([wrong], (8, 8), (8, 8))


def test_other_values_are_refused():
    with pytest.raises(ValueError, match="int64"):
        Enlarged([np.zeros((4, 4, 3), np.int64)], (8, 8), (8, 8))
    with pytest.raises(ValueError, match="not finite"):
        Enlarged([np.full((4, 4, 3), np.nan)], (8, 8), (8, 8))
