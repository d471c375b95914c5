"""Tiled encoding and decoding against the whole."""

import itertools
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from images import small_dct, small_qwen, small_sd2, smooth, textured

from vosr.autoencoders import Autoencoder
from vosr.inference.autoencode import decode_rows, encode, spans
from vosr.inference.normalisation import Statistics, normalise
from vosr.inference.tiling import Tile

ROOT = Path(__file__).parents[2]
MAKERS = {"dct": small_dct, "qwen": small_qwen, "sd2": small_sd2}


def image_of(array):
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 255


def run(function):
    with torch.no_grad():
        return function().float()


def encoded(autoencoder, image, side):
    f = autoencoder.factor
    height, width = image.shape[-2] // f, image.shape[-1] // f
    return encode(autoencoder, run, lambda *box: Tile(*box).of(image), height, width, side)


def decoded(autoencoder, latent, side):
    return torch.cat(list(decode_rows(autoencoder, run, latent, side)), dim=2)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 500), st.integers(0, 6), st.integers(1, 40), st.integers(1, 8))
def test_weights_of_spans_add_up_to_one(length, context, interior, factor):
    side = 6 * context + interior
    parts = spans(length, side, context, factor)
    total = torch.zeros(length * factor)
    for part in parts:
        total[part.start * factor : part.end * factor] += part.weights
    torch.testing.assert_close(total, torch.ones(length * factor))
    for before, after in pairwise(parts) if context else ():
        assert before.end > after.start
        assert before.weights[-context * factor :].max() == 0  # cells without context
        assert after.weights[: context * factor].max() == 0


@pytest.mark.parametrize("name", MAKERS)
def test_one_tile_is_the_whole(name):
    autoencoder, image = MAKERS[name](), image_of(textured(64, 96))
    latent = run(lambda: autoencoder.encode(image * 2 - 1))
    assert torch.equal(encoded(autoencoder, image, 12), latent)
    whole = ((run(lambda: autoencoder.decode(latent)) + 1) / 2).clamp(0, 1)
    assert torch.equal(decoded(autoencoder, latent, 12), whole)


def quiet_attention(autoencoder):
    """Without attention, which has no bounded reach, a tile needs only its surroundings."""
    for name, parameter in autoencoder.named_parameters():
        if ".to_out." in name or "attentions.0.proj" in name:
            parameter.data.zero_()
    return autoencoder


@pytest.mark.parametrize("size", [(384, 384), (400, 328)], ids=["even", "uneven"])
@pytest.mark.parametrize("name", MAKERS)
def test_overlap_gives_tiles_the_surroundings_they_need(name, size):
    """With the whole image's own statistics, tiles come out as the whole does: the context is wide enough."""
    autoencoder, image = quiet_attention(MAKERS[name]()), image_of(textured(*size))
    side = 20 if name == "dct" else 36
    f = autoencoder.factor
    statistics = Statistics(autoencoder)
    with statistics.taken():
        latent = run(lambda: autoencoder.encode(image * 2 - 1))
    cells = spans(size[0] // f, side, autoencoder.context), spans(size[1] // f, side, autoencoder.context)
    tiled = torch.zeros_like(latent)
    with statistics.applied():
        for row, column in itertools.product(*cells):
            crop = image[..., row.start * f : row.end * f, column.start * f : column.end * f]
            part = run(lambda crop=crop: autoencoder.encode(crop * 2 - 1))
            weights = row.weights[:, None] * column.weights
            tiled[..., row.start : row.end, column.start : column.end] += part * weights
    assert float((tiled - latent).abs().max()) < 2e-3 * float(latent.abs().max())


@pytest.mark.parametrize("make", [smooth, textured])
@pytest.mark.parametrize("name", MAKERS)
def test_borders_of_tiles_do_not_show(name, make):
    """Across the cuts between tiles, steps are as those inside."""
    autoencoder = MAKERS[name]()
    latent = run(lambda: autoencoder.encode(image_of(make(400, 400)) * 2 - 1))
    f, side = autoencoder.factor, 20 if name == "dct" else 36
    steps = decoded(autoencoder, latent, side).diff(dim=3).abs().mean((0, 1, 2))
    cuts = {at * f for part in spans(400 // f, side, autoencoder.context) for at in (part.start, part.end)}
    cuts = [cut - 1 for cut in cuts if 0 < cut < 400]
    inside = steps[f - 1 :: f]  # cells' own borders, for the DCT
    assert len(cuts) >= 2
    for cut in cuts:
        assert inside.quantile(0.02) * 0.8 < steps[cut] < inside.quantile(0.98) * 1.2


class Normalising(Autoencoder):
    """Shows a colour only by its difference from the image's mean, as decoders with group norms do."""

    context, working_bytes, factor, latent_channels = 2, 1, 2, 3

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.GroupNorm(1, 3)

    def encode(self, image, sample=False, generator=None):
        return torch.nn.functional.avg_pool2d(self.norm(image), 2)

    def decode(self, latent):
        return torch.nn.functional.interpolate(self.norm(latent), scale_factor=2, mode="bilinear") / 4


@pytest.mark.parametrize("size", [(96, 192), (90, 170)])
def test_no_tone_step_where_one_side_is_dark_and_the_other_bright(size):
    autoencoder = Normalising()
    ramp = torch.linspace(0.1, 0.9, size[1]).expand(1, 3, *size).contiguous()
    latent = run(lambda: autoencoder.encode(ramp * 2 - 1))
    whole = (run(lambda: autoencoder.decode(latent)) + 1) / 2
    assert float((encoded(autoencoder, ramp, 24) - latent).abs().max()) < 0.05 * float(latent.abs().max())
    assert float((decoded(autoencoder, latent, 24) - whole).abs().max()) < 0.02
    alone = (run(lambda: autoencoder.decode(latent[..., :24])) + 1) / 2  # a tile normalised by itself
    assert float((alone - whole[..., :48]).abs().mean()) > 0.1


def test_constant_colour_stays_constant():
    autoencoder = Normalising()
    image = torch.cat([decoded(autoencoder, torch.full((1, 3, 50, 70), 0.3), 24)])
    assert float(image.std()) < 1e-5


def test_statistics_belong_to_the_image_not_to_the_tile():
    norm = torch.nn.GroupNorm(2, 4)
    torch.nn.init.normal_(norm.weight)
    network = torch.nn.Sequential(norm)
    x = torch.randn(6, 4, 5, 5) * 3 + 1
    statistics = Statistics(network)
    with statistics.taken():
        pooled = network(x)
    joined = x.permute(1, 0, 2, 3).reshape(1, 4, 6, 25)
    expected = torch.nn.functional.group_norm(joined, 2, norm.weight, norm.bias)
    torch.testing.assert_close(pooled, expected.view(4, 6, 5, 5).transpose(0, 1))
    with statistics.applied():
        torch.testing.assert_close(network(x[2:3]), pooled[2:3])
    torch.testing.assert_close(network(x), torch.nn.functional.group_norm(x, 2, norm.weight, norm.bias))


def test_normalise_is_group_norm_by_its_own_statistics():
    norm, x = torch.nn.GroupNorm(3, 6), torch.randn(1, 6, 7, 5)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    groups = x.view(3, -1)
    result = normalise(norm, x, groups.mean(1), groups.var(1, correction=0))
    torch.testing.assert_close(result, norm(x))


ATTENTION = """
import re, sys
import torch
sys.path.insert(0, "tests/helpers")
from images import small_qwen, small_sd2
sd2, qwen = small_sd2(), small_qwen()
layers = [sd2.vae.decoder.mid_block.attentions[0], qwen.network.decoder.mid_block.attentions[0]]
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1)) // 1024
with torch.no_grad():
    for layer in layers:
        before = peak()
        layer(torch.randn(1, 16, 128, 160))
        print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_attention_never_builds_all_scores():
    """20 480 tokens: the scores alone would take 1600 MiB."""
    result = subprocess.run(
        [sys.executable, "-c", ATTENTION], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert max(map(int, result.stdout.split())) < 200
