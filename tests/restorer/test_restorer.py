import numpy as np
import pytest
import torch
from doubles import MeanEncoder, ShuffleAutoencoder
from PIL import Image

from vosr.backbones import LightningDiT
from vosr.conditioning import Conditioner
from vosr.guidance import RestorationGuidance
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.restorer import Restorer, pick_device


def model(kind="student", random=True, **card):
    torch.manual_seed(0)
    backbone = LightningDiT(
        12,
        3,
        width=32,
        depth=1,
        heads=2,
        latent_grid=16,
        rotary="absolute",
        prediction="residual",
        end_time=kind == "student",
    )
    if random:
        torch.nn.init.normal_(backbone.final_layer.linear.weight, std=0.02)
    return RestorationModel(
        Conditioner(ShuffleAutoencoder(), MeanEncoder()),
        backbone,
        RestorationGuidance(),
        Sampling(1 if kind == "student" else 3),
        ModelCard(kind, **({"training_size": 32, "color_fix": "none"} | card)),
    )


def photo(width=20, height=14, mode="RGB"):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def test_a_model_that_changes_nothing_gives_pillows_bicubic():
    """A fresh network that predicts data returns the LQ: the result is the enlarged input, to the bit."""
    restorer = Restorer(model(random=False))
    expected = photo().resize((80, 56), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(restorer(photo())), np.asarray(expected))


@pytest.mark.parametrize("scale", [1, 1.5, 2, 4, 4.3])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (20, 14), (33, 31)])
def test_exact_size_for_any_picture_and_scale(size, scale):
    restored = Restorer(model())(photo(*size), scale=scale)
    assert restored.size == (round(size[0] * scale), round(size[1] * scale))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "CMYK", "1"])
def test_modes(mode):
    restored = Restorer(model())(photo(mode=mode), scale=2)
    assert restored.mode == {"L": "L", "1": "L", "RGBA": "RGBA", "LA": "RGBA"}.get(mode, "RGB")
    if "A" in mode:
        assert restored.getchannel("A").getextrema() == (255, 255)


def test_types_come_back_and_agree():
    restorer = Restorer(model())
    array = np.asarray(photo())
    pil, uint8 = np.asarray(restorer(photo(), scale=2)), restorer(array, scale=2)
    assert np.array_equal(pil, uint8)
    floats = restorer(array.astype(np.float32) / 255, scale=2)
    assert floats.dtype == np.float32
    assert np.abs(floats * 255 - uint8).max() <= 0.5001
    tensor = restorer(torch.from_numpy(array.copy()).permute(2, 0, 1) / 255, scale=2)
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), floats)
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        restorer(array[..., 0])


def test_seed_belongs_to_the_picture():
    restorer = Restorer(model())
    first, other = np.asarray(restorer(photo())), np.asarray(restorer(photo(21)))
    assert other.shape != first.shape
    assert np.array_equal(np.asarray(restorer(photo())), first)
    assert not np.array_equal(np.asarray(restorer(photo(), seed=1)), np.asarray(restorer(photo(), seed=2)))


def test_options_have_effect_on_a_teacher():
    restorer = Restorer(model("teacher"))
    plain = np.asarray(restorer(photo(), seed=0))
    for option in ({"steps": 5}, {"guidance_scale": 2.0}, {"weak_strength": 0.9}, {"color_fix": "adain"}):
        assert not np.array_equal(np.asarray(restorer(photo(), seed=0, **option)), plain), option


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance_scale": 1.0}, "guidance_scale has no effect on a student"),
        ({"weak_strength": 0.1}, "weak_strength has no effect on a student"),
        ({"steps": 0}, "at least 1"),
        ({"scale": 0.5}, "scale must be at least 1"),
        ({"tile": 3}, "tile must be 0"),
        ({"color_fix": "sepia"}, "adain, wavelet or none"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Restorer(model())(photo(), **options)


def test_constant_colour_has_no_seams():
    """Every tile sees the same picture and its own noise; what is left must not follow the tile grid."""
    restorer = Restorer(model(random=False))
    restored = np.asarray(restorer(Image.new("RGB", (50, 40), (90, 140, 60)), scale=4, tile=32))
    assert np.abs(restored.astype(int) - (90, 140, 60)).max() <= 1


def test_tiles_agree_with_the_whole_where_the_model_is_local():
    restorer = Restorer(model(random=False))
    whole = np.asarray(restorer(photo(40, 30), tile=0)).astype(int)
    tiled = np.asarray(restorer(photo(40, 30), tile=32)).astype(int)
    assert np.abs(whole - tiled).max() <= 1


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="cannot be used here"):
        pick_device("no_such_device")
