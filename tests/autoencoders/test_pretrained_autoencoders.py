"""The two pretrained autoencoders: golden tensors, agreement with diffusers, loading, memory of attention."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, AutoencoderKLQwenImage
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from vosr.autoencoders import AUTOENCODERS, QwenVAE, StableDiffusionVAE
from vosr.autoencoders.light_decoder import build_light_decoder, load_light_decoder
from vosr.autoencoders.posterior import draw_latent
from vosr.core.weights import MissingWeightsError

FILE = "diffusion_pytorch_model.safetensors"
QWEN_TINY = {
    "base_dim": 4,
    "z_dim": 3,
    "num_res_blocks": 1,
    "latents_mean": [0.5, -1.0, 2.0],
    "latents_std": [2.0, 0.5, 3.0],
}
SD2_TINY = {"block_out_channels": [4, 4, 8, 8], "layers_per_block": 1, "norm_num_groups": 4}
TINY = {"qwen": QWEN_TINY, "sd2": SD2_TINY}
both = pytest.mark.parametrize("name", TINY)


def tiny(name, **arguments):
    return AUTOENCODERS.build(name, pretrained=False, overrides=TINY[name], **arguments)


def scramble(module):
    generator = torch.Generator().manual_seed(1)
    for p in module.parameters():
        p.data = torch.randn(p.shape, generator=generator) * (0.2 if p.ndim > 1 else 0.1) + (p.ndim < 2)
    return module.eval()


def folder_of(path, state, config):
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in state.items()}, path / FILE)
    (path / "config.json").write_text(json.dumps(config))
    return str(path)


@pytest.mark.golden
@torch.no_grad()
def test_golden_qwen_vae2d(golden, golden_error, relative_error, tmp_path):
    file = golden("qwen_vae2d")
    config = file.meta["config"]
    model = QwenVAE(folder_of(tmp_path, file.weights, config))
    mean, log_variance = model.network.encode(file["x"]).chunk(2, dim=1)
    assert golden_error("qwen_vae2d", "mean", mean) <= 1e-5
    assert golden_error("qwen_vae2d", "logvar", log_variance) <= 1e-5
    decoded = model.network.decode(file["z"]).clamp(-1, 1)
    assert golden_error("qwen_vae2d", "decoded", decoded) <= 2e-5
    # The component works on normalised latents.
    center = torch.tensor(config["latents_mean"]).view(1, -1, 1, 1)
    width = torch.tensor(config["latents_std"]).view(1, -1, 1, 1)
    assert relative_error(model.encode(file["x"]), (file["mean"] - center) / width) <= 1e-5
    assert relative_error(model.decode((file["z"] - center) / width).clamp(-1, 1), file["decoded"]) <= 2e-5


@pytest.mark.golden
@torch.no_grad()
def test_golden_light_decoder(golden, golden_error, tmp_path):
    file = golden("light_decoder")
    path = tmp_path / "sd21_lwdecoder.pth"
    torch.save({"config": file.meta["config"], "model_state_dict": file.weights}, path)
    assert golden_error("light_decoder", "out", load_light_decoder(path)(file["z"])) <= 3e-5


@torch.no_grad()
def test_qwen_from_the_published_3d_file_equals_diffusers_on_a_single_frame(tmp_path, relative_error):
    reference = scramble(AutoencoderKLQwenImage(**QWEN_TINY))
    reference.save_pretrained(tmp_path / "vae")
    assert any("time_conv" in name for name in reference.state_dict())
    model = QwenVAE(str(tmp_path))
    assert (model.latent_channels, model.factor) == (3, 8)
    x = torch.rand(2, 3, 24, 40) * 2 - 1
    posterior = reference.encode(x.unsqueeze(2)).latent_dist
    mean = torch.tensor(QWEN_TINY["latents_mean"]).view(1, -1, 1, 1)
    std = torch.tensor(QWEN_TINY["latents_std"]).view(1, -1, 1, 1)
    latent = model.encode(x)
    assert relative_error(latent, (posterior.mean.squeeze(2) - mean) / std) <= 1e-5
    z = torch.randn(2, 3, 3, 5)
    expected = reference.decode((z * std + mean).unsqueeze(2)).sample.squeeze(2)
    assert relative_error(model.decode(z).clamp(-1, 1), expected) <= 1e-5


@torch.no_grad()
def test_qwen_2d_file_equals_the_3d_one(tmp_path):
    from vosr.autoencoders.qwen import drop_time

    reference = scramble(AutoencoderKLQwenImage(**QWEN_TINY))
    flat = drop_time(reference.state_dict())
    assert all(torch.equal(value, flat[name]) for name, value in drop_time(flat).items())
    three = QwenVAE(folder_of(tmp_path / "a", reference.state_dict(), dict(reference.config)))
    two = QwenVAE(folder_of(tmp_path / "b", flat, QWEN_TINY))
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(three.encode(x), two.encode(x))


@pytest.mark.parametrize("early_names", [False, True])
@torch.no_grad()
def test_sd2_from_a_diffusers_folder_equals_diffusers(early_names, tmp_path):
    levels = {
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
    }
    reference = scramble(AutoencoderKL(**SD2_TINY, **levels))
    state = reference.state_dict()
    if early_names:
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            state = {
                name.replace(f".{new}.", f".{old}."): v[..., None, None]
                if f"{new}.weight" in name and "attentions" in name
                else v
                for name, v in state.items()
            }
        assert any(".query." in name for name in state)
    model = StableDiffusionVAE(folder_of(tmp_path / "vae", state, dict(reference.config)))
    assert (model.latent_channels, model.factor, model.scale) == (4, 8, 0.18215)
    x, z = torch.rand(2, 3, 16, 24) * 2 - 1, torch.randn(2, 4, 3, 5)
    expected = reference.encode(x).latent_dist.mode() * 0.18215
    torch.testing.assert_close(model.encode(x), expected)
    torch.testing.assert_close(model.decode(z), reference.decode(z / 0.18215).sample)


@torch.no_grad()
def test_light_decoder_replaces_the_decoder_and_reads_unscaled_latents(tmp_path):
    light = scramble(build_light_decoder((8, 8, 16, 16), 1, groups=4))
    path = tmp_path / "light.pth"
    torch.save({"config": {"norm_num_groups": 4}, "model_state_dict": light.state_dict()}, path)
    reference = tiny("sd2")
    vae = folder_of(tmp_path, reference.vae.state_dict(), SD2_TINY)
    model = StableDiffusionVAE(vae, light_decoder=str(path))
    z = torch.randn(1, 4, 2, 3)
    torch.testing.assert_close(model.decode(z), light(z / 0.18215))
    assert model.vae.decoder is None
    x = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(model.encode(x), reference.encode(x))


def test_parameter_counts_of_the_released_models():
    with torch.device("meta"):
        qwen, sd2 = QwenVAE(), StableDiffusionVAE(light_decoder="auto")
    assert sum(p.numel() for p in qwen.parameters()) == 44_599_603
    assert sum(p.numel() for p in sd2.light.parameters()) == 12_387_459
    assert (qwen.latent_channels, qwen.factor, sd2.latent_channels, sd2.factor) == (16, 8, 4, 8)


def test_posterior_draw():
    moments = torch.cat([torch.full((1, 2, 3, 3), 5.0), torch.full((1, 2, 3, 3), 4.0).log()], 1)
    assert torch.equal(draw_latent(moments, False), torch.full((1, 2, 3, 3), 5.0))
    noise = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(3))
    drawn = draw_latent(moments, True, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, 5 + 2 * noise)


@both
@torch.no_grad()
def test_sample_replays_and_mode_is_deterministic(name):
    model, x = tiny(name), torch.rand(1, 3, 16, 16)
    draw = [model.encode(x, True, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    assert torch.equal(model.encode(x), model.encode(x))
    assert model.encode(x).shape == (1, model.latent_channels, 2, 2)
    assert model.decode(model.encode(x)).shape == x.shape


@both
def test_frozen_and_random_weights_are_fixed(name):
    torch.manual_seed(5)
    model = tiny(name).train()
    after = torch.rand(3)
    assert not any(p.requires_grad for p in model.parameters())
    assert not any(module.training for module in model.modules())
    again = tiny(name).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in model.state_dict().items())
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3)), "building must leave the global random stream alone"


class LargestTensor(TorchDispatchMode):
    """Remembers the element count of the largest result of any operation."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **kwargs or {})
        for value in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(value, torch.Tensor):
                self.size = max(self.size, value.numel())
        return out


@both
@torch.no_grad()
def test_attention_never_forms_the_scores(name):
    model, side = tiny(name), 256
    positions = (side // 8) ** 2
    with LargestTensor() as largest:
        model.decode(model.encode(torch.rand(1, 3, side, side)))
    assert side * side * 3 <= largest.size < positions**2


@both
def test_missing_and_unfit_weights(name, tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeightsError, match=f"CSWRY/VOSR and put it at {tmp_path}"):
        AUTOENCODERS.build(name)
    with pytest.raises(MissingWeightsError, match=f"expected {FILE}"):
        AUTOENCODERS.build(name, weights=str(tmp_path))
    folder_of(tmp_path, {"encoder.conv_in.weight": torch.zeros(1)}, TINY[name])
    with pytest.raises(ValueError, match="does not fit"):
        AUTOENCODERS.build(name, weights=str(tmp_path))


def test_light_decoder_file_must_be_one(tmp_path):
    path = tmp_path / "sd21_lwdecoder.pth"
    torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="has no 'model_state_dict'"):
        load_light_decoder(path)
    torch.save({"config": {}, "model_state_dict": {"a": torch.zeros(1)}}, path)
    with pytest.raises(ValueError, match="is no light decoder"):
        load_light_decoder(path)


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        ("qwen", {"attn_scales": [1]}, "Unknown Qwen VAE option 'attn_scales'"),
        ("qwen", {"z_dim": 4}, "z_dim = 4"),
        ("sd2", {"width": 1}, "Unknown SD2 VAE option 'width'"),
    ],
)
def test_bad_options(name, overrides, message):
    with pytest.raises(ValueError, match=message):
        AUTOENCODERS.build(name, pretrained=False, overrides=overrides)
