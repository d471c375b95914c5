"""Whole images through the engine: tiles, seams, memory running out, semantics, small inputs."""

import numpy as np
import pytest
import torch
from images import small_dct, smooth, textured
from models import tiny_model

from data_pipelines import RealPhotographs
from vosr import Restorer
from vosr.inference import Settings
from vosr.inference.engine import Engine, image_seed
from vosr.inference.fallback import out_of_memory

CPU = torch.device("cpu")


def restored(model, image, scale=2, seed=0, **settings):
    size = image.shape[1] * scale, image.shape[0] * scale
    return torch.cat(list(Engine(model, CPU).rows([image], size, Settings(**settings), [seed])), dim=2)[0]


@pytest.mark.parametrize("side", [(48, 48), (61, 45)], ids=["even", "uneven"])
@pytest.mark.parametrize("make", [smooth, textured])
def test_steps_across_tile_borders_are_those_of_the_interior(make, side):
    """A shift of every tile's velocity by its own mean colour would show at once without the smooth window."""
    model = tiny_model(autoencoder=small_dct(), size=128, std=0.05)
    image = make(side[0] * 4, side[1] * 4)
    result = restored(model, image, scale=2, tile=128)
    steps = result.diff(dim=2).abs().mean((0, 1))
    every = steps[7::8]  # cells' borders, where tiles can be cut
    starts = {round(i * (result.shape[2] - 128) / n / 16) * 16 for n in (1, 2, 3, 4, 5) for i in range(n + 1)}
    cuts = [at - 1 for at in starts if 0 < at < result.shape[2]]
    assert len(cuts) >= 3
    assert float(steps[cuts].mean()) < float(every.mean() + 3 * every.std() / len(cuts) ** 0.5)
    assert float(steps[cuts].max()) <= float(every.max())


def test_tiles_differ_from_the_whole_by_less_than_the_stated_bound():
    """docs/restoring.md: below 4/255 in the mean for the shipped student, whose tiles have semantics of their own."""
    restorer = Restorer.from_pretrained("vosr_small_student", "cpu")
    image = np.ascontiguousarray(RealPhotographs()[0].hq[96:160, 64:144])
    whole, tiled = restorer(image, tile=0).astype(int), restorer(image, tile=128).astype(int)
    assert whole.shape == (256, 320, 3)
    assert 0 < np.abs(whole - tiled).mean() < 4


@pytest.mark.parametrize("size", [(40, 50), (41, 53)])
def test_constant_colour_stays_constant(size):
    model = tiny_model(autoencoder=small_dct(), size=64, std=0.0)
    image = np.full((*size, 3), (90, 140, 60), np.uint8)
    result = restored(model, image, scale=4, tile=64)
    assert float((result * 255 - torch.tensor([90.0, 140, 60]).view(3, 1, 1)).abs().max()) < 0.51


def test_batches_of_tiles_change_nothing():
    model = tiny_model()
    image = textured(60, 60)
    one, many = (restored(model, image, tile=32, memory=memory) for memory in (1e-6, 1.0))
    torch.testing.assert_close(one, many, atol=1e-4, rtol=0)


def test_semantics_of_tile_image_and_both_differ():
    model = tiny_model(std=0.05)
    halves = [np.full((32, 32, 3), colour, np.uint8) for colour in ((30, 90, 60), (220, 80, 120))]
    image = np.concatenate(halves, axis=1)
    results = [restored(model, image, tile=32, semantics=name) for name in ("tile", "image", "both")]
    for i in range(3):
        assert float((results[i] - results[i - 1]).abs().max()) > 1e-4
    uniform = np.full((32, 64, 3), (100, 60, 90), np.uint8)  # every tile shows what the image shows
    same = [restored(model, uniform, tile=32, semantics=name) for name in ("tile", "image")]
    torch.testing.assert_close(*same, atol=1e-4, rtol=0)


def test_small_outputs_are_worked_on_at_the_training_size_and_said(caplog):
    model = tiny_model(size=64)
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[-2:]))
    engine = Engine(model, CPU)
    for _ in range(2):
        strips = engine.rows([textured(10, 12)], (24, 20), Settings(), [0])
        assert torch.cat(list(strips), dim=2).shape == (1, 3, 20, 24)
    assert seen == [(32, 32)] * 2
    assert caplog.text.count("Output below the model's training size, 64 px") == 1


class Hungry:
    """Stands for a device that has room for tiles of one size only."""

    def __init__(self, forward, most, error):
        self.inner, self.most, self.error = forward, most, error

    def __call__(self, x, *rest):
        if x.shape[0] * x.shape[-1] > self.most:
            raise self.error
        return self.inner(x, *rest)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()])
def test_running_out_of_memory_is_answered_once_with_smaller_tiles(monkeypatch, caplog, error):
    model = tiny_model(size=64)
    image = textured(60, 60)
    expected = restored(model, image, tile=32, memory=1e-6)
    hungry = Hungry(model.backbone.forward, 16, error)
    monkeypatch.setattr(model.backbone, "forward", hungry)
    result = restored(model, image, tile=64)
    assert "Memory ran out; once more with tiles of 32 px" in caplog.text
    torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)
    hungry.most = 8
    with pytest.raises(ValueError, match=r"Out of memory on cpu even with small tiles; set tile=.*memory=1"):
        restored(model, image, tile=64)


def test_a_decoder_that_runs_out_of_memory_gets_smaller_tiles(monkeypatch, caplog):
    model = tiny_model()
    autoencoder = model.conditioner.autoencoder
    image, decode = textured(150, 150), autoencoder.decode
    expected = restored(model, image)

    def limited(latent):
        if latent.shape[-1] > 80:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return decode(latent)

    monkeypatch.setattr(autoencoder, "decode", limited)
    torch.testing.assert_close(restored(model, image), expected, atol=1e-5, rtol=0)
    assert "Memory ran out" in caplog.text


def test_other_errors_are_not_taken_for_memory():
    assert not out_of_memory(RuntimeError("shape mismatch"))
    assert out_of_memory(
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    )


def test_seed_of_an_image_is_that_of_its_content_in_8_bits():
    image = textured(8, 8)
    assert image_seed(image) == image_seed(image / 255) == image_seed(image.astype(np.uint16) * 257)
    assert image_seed(image) != image_seed(image[::-1].copy())


def test_colour_is_corrected_over_the_whole_image():
    """The mean colour of the result is that of the input as a whole; tiles keep their own differences."""
    model = tiny_model(autoencoder=small_dct(), size=64, std=0.1)
    image = smooth(60, 60)
    result = restored(model, image, tile=64, color_fix="adain")
    enlarged = restored(tiny_model(autoencoder=small_dct(), size=64, std=0.0), image)
    torch.testing.assert_close(result.mean((1, 2)), enlarged.mean((1, 2)), atol=5e-3, rtol=0)
    assert float((result - enlarged).abs().mean()) > 1e-3
