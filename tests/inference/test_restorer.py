import numpy as np
import pytest
import torch
from models import tiny_model
from PIL import Image

from vosr.core.devices import pick_device
from vosr.inference import Precision, Settings
from vosr.inference.restorer import Restorer


def photo(width=20, height=14, mode="RGB"):
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def test_a_model_that_changes_nothing_gives_pillows_bicubic():
    """A fresh network that predicts data returns the LQ: the result is the enlarged input, to the bit."""
    restorer = Restorer(tiny_model(std=0.0))
    expected = photo().resize((80, 56), Image.Resampling.BICUBIC)
    assert np.array_equal(np.asarray(restorer(photo())), np.asarray(expected))


@pytest.mark.parametrize("scale", [1, 1.5, 2, 4, 4.3])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (20, 14), (33, 31)])
def test_exact_size_for_any_image_and_scale(size, scale):
    restored = Restorer(tiny_model())(photo(*size), scale=scale)
    assert restored.size == (round(size[0] * scale), round(size[1] * scale))


def test_target_size():
    assert Restorer(tiny_model())(photo(), size=(33, 47)).size == (33, 47)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "CMYK", "1"])
def test_modes(mode):
    restored = Restorer(tiny_model())(photo(mode=mode), scale=2)
    assert restored.mode == {"L": "L", "1": "L", "RGBA": "RGBA", "LA": "RGBA"}.get(mode, "RGB")
    if "A" in mode:
        assert restored.getchannel("A").getextrema() == (255, 255)


def test_types_come_back_and_agree():
    restorer = Restorer(tiny_model())
    array = np.asarray(photo())
    pil, uint8 = np.asarray(restorer(photo(), scale=2)), restorer(array, scale=2)
    assert np.array_equal(pil, uint8)
    array = array // 2 + 64  # far from black and white, where 8-bit steps between the two passes clip
    uint8 = restorer(array, scale=2)
    floats = restorer(array.astype(np.float32) / 255, scale=2)
    assert floats.dtype == np.float32
    assert np.abs(floats * 255 - uint8).max() <= 3  # enlarged in float32 instead of 8 bits, and its own noise
    tensor = restorer(torch.from_numpy(array.copy()).permute(2, 0, 1) / 255, scale=2)
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), floats)
    sixteen = restorer(array.astype(np.uint16) * 257, scale=2)
    assert sixteen.dtype == np.uint16
    assert np.abs(sixteen / 65535 - floats).max() <= 3 / 255
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        restorer(array[..., 0])


def test_sixteen_bit_grey_stays_sixteen_bit():
    ramp = np.arange(20 * 14, dtype=np.uint16).reshape(14, 20) * 200
    restored = Restorer(tiny_model(std=0.0))(Image.fromarray(ramp), scale=2)
    assert restored.mode == "I;16"
    assert len(np.unique(np.asarray(restored))) > 400  # more levels than 8 bits have
    expected = Image.fromarray(ramp.astype(np.float32)).resize((40, 28), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(restored) - np.clip(np.asarray(expected), 0, 65535)).max() <= 2


def test_batches_give_the_same_as_single_images():
    restorer = Restorer(tiny_model())
    arrays = [
        np.asarray(photo()),
        np.asarray(photo(9)),
        np.asarray(photo().transpose(0)),
        np.asarray(photo()),
    ]
    together = restorer(arrays, scale=2)
    for array, restored in zip(arrays, together):
        assert np.abs(restored.astype(int) - restorer(array, scale=2)).max() <= 1
    stacked = np.stack([arrays[0], arrays[2]])
    batch = restorer(stacked, scale=2)
    assert batch.shape == (2, 28, 40, 3)
    assert np.array_equal(batch, np.stack([together[0], together[2]]))
    tensor = restorer(torch.from_numpy(stacked).movedim(-1, 1), scale=2)
    assert tensor.dtype == torch.uint8
    assert np.array_equal(tensor.movedim(1, -1).numpy(), batch)
    images = restorer([photo(), photo(9)], scale=2)
    assert [image.size for image in images] == [(40, 28), (18, 28)]


def test_strips_are_the_image():
    restorer = Restorer(tiny_model())
    array = np.asarray(photo(20, 180))
    strips = list(restorer.restore_rows(array, Settings(memory=1e-4, size=(40, 360), seed=3)))
    assert len(strips) > 3
    assert {strip.dtype for strip in strips} == {np.dtype(np.uint8)}
    whole = restorer.restore_batch([array], Settings(memory=1e-4, size=(40, 360), seed=3))[0]
    assert np.array_equal(np.concatenate(strips), whole)


def test_seed_belongs_to_the_image():
    restorer = Restorer(tiny_model())
    first, other = np.asarray(restorer(photo())), np.asarray(restorer(photo(21)))
    assert other.shape != first.shape
    assert np.array_equal(np.asarray(restorer(photo())), first)
    assert not np.array_equal(np.asarray(restorer(photo(), seed=1)), np.asarray(restorer(photo(), seed=2)))


def test_options_have_effect_on_a_teacher():
    restorer = Restorer(tiny_model("teacher"))
    plain = np.asarray(restorer(photo(), seed=0))
    for option in ({"steps": 5}, {"guidance_scale": 2.0}, {"partial_strength": 0.9}, {"color_fix": "adain"}):
        assert not np.array_equal(np.asarray(restorer(photo(), seed=0, **option)), plain), option


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"guidance_scale": 1.0}, "guidance_scale has no effect on a student"),
        ({"partial_strength": 0.1}, "partial_strength has no effect on a student"),
        ({"steps": 0}, "at least 1"),
        ({"scale": 0.5}, "scale must be at least 1"),
        ({"tile": 3}, "tile must be 0"),
        ({"color_fix": "sepia"}, "adain, wavelet, atrous or none"),
        ({"semantics": "none"}, "tile, image or both"),
        ({"memory": 0}, "above 0 GiB"),
        ({"scale": float("nan")}, "scale must be at least 1"),
        ({"scale": 2, "size": (40, 28)}, "scale or size, not both"),
        ({"size": (19, 28)}, "smaller than the input"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        Restorer(tiny_model())(photo(), **options)


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(ValueError, match="cannot be used here"):
        pick_device("no_such_device")


@pytest.mark.parametrize("wrong", ["photo.png", None, ["photo.png"]])
def test_a_path_is_no_image(wrong):
    with pytest.raises(ValueError, match=r"not (str|NoneType); PIL\.Image\.open opens files"):
        Restorer(tiny_model())(wrong)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_black_and_white_in_three_channels_stays_so(dtype):
    """A model with weights of its own colours noise; grey that is stored as RGB comes out grey, in every way in."""
    grey = np.asarray(photo(mode="L"))[..., None].repeat(3, -1)
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[dtype]
    image = (grey * np.float64(scale)).astype(dtype)
    restorer = Restorer(tiny_model())
    assert not np.ptp(restorer(image), axis=-1).any()
    rows = np.concatenate(list(restorer.restore_rows(image, Settings(size=(40, 28)))))
    assert not np.ptp(rows, axis=-1).any()
    coloured = image.copy()
    coloured[0, 0, 0] = coloured[0, 0, 0] + 2 * scale if coloured[0, 0, 0] < 100 * scale else 0
    assert np.ptp(restorer(coloured), axis=-1).any()


def test_progress_and_seconds_of_one_call():
    restorer, seen = Restorer(tiny_model()), []
    restorer(photo(), progress=lambda *of: seen.append(of))
    assert [stage for stage, _, _ in seen] == sorted(
        (stage for stage, _, _ in seen), key=["encode", "backbone", "decode"].index
    )
    assert ("backbone", 6, 6) in seen
    assert set(restorer.seconds) == {"encode", "semantics", "backbone", "decode", "colour"}
    assert all(value >= 0 for value in restorer.seconds.values())
    count = len(seen)
    restorer(photo())
    assert len(seen) == count


def test_moved_to_a_device_it_restores_as_before():
    restorer = Restorer(tiny_model(), precision=Precision("bfloat16"))
    before = np.asarray(restorer(photo()))
    assert restorer.to("cpu") is restorer
    assert restorer.engine.backbone.dtype == torch.bfloat16
    assert np.array_equal(np.asarray(restorer(photo())), before)
    with pytest.raises(ValueError, match="cannot be used here"):
        restorer.to("no_such_device")


@pytest.mark.parametrize("change", [lambda x: x * 255, lambda x: x * 2 - 1, lambda x: x * np.nan])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_floating_point_in_another_range_is_refused(change, kind):
    image = change(np.asarray(photo(), np.float32) / 255)
    with pytest.raises(ValueError, match=r"hold values in \[0, 1\]; this one has"):
        Restorer(tiny_model())(kind(image if kind is np.asarray else np.moveaxis(image, -1, 0).copy()))


def test_overshoot_of_filters_is_let_through():
    image = np.asarray(photo(), np.float32) / 255 * 1.2 - 0.1
    assert Restorer(tiny_model())(image).shape == (56, 80, 3)
