"""Convolutional autoencoders in diffusers' layout, and light decoders of any autoencoder."""

import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file

from vosr.autoencoders import AUTOENCODERS, KLAutoencoder, QwenVAE
from vosr.autoencoders.light_decoder import (
    LIGHT_FILE,
    build_light_decoder,
    load_light_decoder,
    norm_groups,
    save_light_decoder,
    save_released_light_decoder,
    with_light_decoder,
)
from vosr.autoencoders.posterior import kl_divergence
from vosr.autoencoders.spatial_map import SpatialMap
from vosr.core.weights import MissingWeightsError
from vosr.training.parallel import reset_weights

TINY = {"factor": 4, "latent_channels": 3, "width": 8, "layers": 1, "attention": False}


def tiny(**changes):
    return KLAutoencoder(**(TINY | changes))


def with_statistics(model):
    model.mean.copy_(torch.tensor([0.5, -1.0, 2.0]).view(-1, 1, 1))
    model.std.copy_(torch.tensor([2.0, 0.5, 3.0]).view(-1, 1, 1))
    return model


@torch.no_grad()
@pytest.mark.parametrize(
    "changes", [{}, {"patch": 2}, {"image_channels": 5}, {"attention": True}, {"residual": True}]
)
def test_what_is_written_opens_again_and_normalises_its_latents(tmp_path, changes):
    model = with_statistics(tiny(**changes))
    model.save(tmp_path / "model")
    opened = KLAutoencoder(str(tmp_path))  # as a run folder
    x = torch.rand(2, model.image_channels, 8, 16) * 2 - 1
    latent = model.encode(x)
    assert latent.shape == (2, 3, 2, 4)
    assert torch.equal(opened.encode(x), latent)
    assert torch.equal(opened.decode(latent), model.decode(latent))
    mean, _ = model.moments(x).chunk(2, dim=1)
    torch.testing.assert_close(latent * model.std + model.mean, mean)
    torch.testing.assert_close(model(x)[0], model.decode(latent))
    assert opened.init_args["weights"] == str(tmp_path / "model/diffusion_pytorch_model.safetensors")


@torch.no_grad()
def test_diffusers_opens_it_and_its_files_open_here(tmp_path):
    model = with_statistics(tiny())
    model.save(tmp_path / "ours")
    theirs = AutoencoderKL.from_pretrained(tmp_path / "ours")
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(theirs.encode(x).latent_dist.mode(), model.moments(x).chunk(2, dim=1)[0])
    assert theirs.config.latents_std == [2.0, 0.5, 3.0]
    levels = {
        "down_block_types": ["DownEncoderBlock2D"] * 2,
        "up_block_types": ["UpDecoderBlock2D"] * 2,
        "block_out_channels": [4, 8],
    }
    flux = AutoencoderKL(
        **levels, norm_num_groups=4, scaling_factor=0.5, shift_factor=0.25, use_quant_conv=False
    )
    flux.save_pretrained(tmp_path / "flux")
    opened = KLAutoencoder(str(tmp_path / "flux"))
    torch.testing.assert_close(opened.encode(x), (flux.encode(x).latent_dist.mode() - 0.25) * 0.5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("factor", "kept", "transform"),
    [(8, 4, {"luma": 2, "chroma": 1}), (4, 8, {"luma": 6, "chroma": 1})],
)
def test_a_residual_autoencoder_begins_as_the_cosine_transform(factor, kept, transform):
    model = tiny(factor=factor, latent_channels=kept, patch=2, residual=True)
    reset_weights(model, 0)
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    fixed = AUTOENCODERS.build("dct", factor=factor, **transform)
    reconstruction, moments = model(x)
    torch.testing.assert_close(reconstruction, fixed.decode(fixed.encode(x)), atol=1e-5, rtol=1e-5)
    mean, log_variance = moments.chunk(2, dim=1)
    own, theirs = (z.flatten(2).transpose(0, 1).flatten(1) for z in (mean, fixed.encode(x)))
    torch.testing.assert_close(own.sort(0)[0], theirs.sort(0)[0], atol=1e-5, rtol=1e-5)  # in another order
    assert torch.equal(log_variance, torch.full_like(log_variance, -6.0))


@torch.no_grad()
def test_a_residual_autoencoder_adds_its_network_to_its_linear_part(tmp_path):
    model = with_statistics(tiny(residual=True))
    x, z = torch.rand(1, 3, 8, 8), torch.randn(1, 3, 2, 2)
    network_mean = model.vae.encode(x).latent_dist.mode()
    torch.testing.assert_close(
        model.moments(x).chunk(2, dim=1)[0] - network_mean, model.linear.analysis(x), atol=1e-5, rtol=1e-5
    )
    latent = model.unscaled(z)
    linear = model.linear.synthesis(latent)
    torch.testing.assert_close(model.decode(z), linear + model.vae.decode(latent).sample)
    light = build_light_decoder((4, 4, 8), 1, channels=3, attention=False)
    save_light_decoder(light, tmp_path / LIGHT_FILE)
    model.lighten(str(tmp_path), load=True)
    torch.testing.assert_close(model.decode(z), linear + light(latent))


def test_sizes_of_a_factor():
    with torch.device("meta"):
        model = KLAutoencoder(factor=16, latent_channels=32)
    assert model.config["block_out_channels"] == [128, 256, 512, 512, 512]
    assert (model.factor, model.latent_channels, model.config["norm_num_groups"]) == (16, 32, 32)
    assert norm_groups([64, 128]) == 32
    assert norm_groups([48, 96, 192, 192]) == 16
    assert norm_groups([8, 16], least=4) == 2
    assert norm_groups([6, 12], least=4) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"factor": 12}, "factor must be patch times a power of two, not 12 with a patch of 1"),
        ({"factor": 8, "patch": 3}, "not 8 with a patch of 3"),
        ({"width": 0}, "width must be at least 1, not 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        KLAutoencoder(**arguments)


def test_images_and_weights_that_do_not_fit_are_refused(tmp_path):
    model = tiny()
    with pytest.raises(ValueError, match="takes images of 3 channels, not 4"):
        model.encode(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ValueError, match="10 x 8 pixels do not fit this autoencoder, whose factor is 4"):
        model.encode(torch.zeros(1, 3, 8, 10))
    with pytest.raises(
        MissingWeightsError, match=r"nowhere: there is no such file or folder\. Name its file"
    ):
        KLAutoencoder("/nowhere")
    model.save(tmp_path)
    with pytest.raises(ValueError, match="has factor 4, not 8; leave factor out"):
        KLAutoencoder(str(tmp_path), factor=8)
    record = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(record | {"latent_channels": 5}))
    with pytest.raises(ValueError, match="does not fit AutoencoderKL"):
        KLAutoencoder(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps(record | {"latents_std": [1.0]}))
    with pytest.raises(ValueError, match="must have 3 numbers"):
        KLAutoencoder(str(tmp_path))


def test_divergence_of_a_posterior_is_the_closed_form():
    assert kl_divergence(torch.zeros(1, 4, 2, 2)) == 0
    mean, std = 1.5, 0.5
    moments = torch.cat([torch.full((1, 2, 3, 3), mean), torch.full((1, 2, 3, 3), std**2).log()], 1)
    posterior = torch.distributions.Normal(mean, std)
    expected = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(kl_divergence(moments), expected)


def test_spatial_maps_of_images_and_latents_fit_each_other():
    x = torch.rand(1, 2, 8, 16)
    turned = SpatialMap(1.0, 3)(x, 4)
    torch.testing.assert_close(turned, x.rot90(3, (2, 3)))
    torch.testing.assert_close(
        SpatialMap(0.5, 0)(torch.full((1, 1, 8, 8), 0.3), 2), torch.full((1, 1, 4, 4), 0.3)
    )
    for seed in range(20):
        drawn = SpatialMap.drawn(torch.Generator().manual_seed(seed))
        assert 0.25 <= drawn.scale < 1
        assert drawn.turns in range(4)
        image, latent = drawn(torch.rand(1, 3, 32, 64), 4), drawn(torch.rand(1, 5, 8, 16), 1)
        assert [side // 4 for side in image.shape[-2:]] == list(latent.shape[-2:])


def same(one, other):
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_released_layout_of_light_decoders_both_ways(tmp_path, golden):
    """Names as in the released file; what was written opens there, and strictly."""
    file = golden("light_decoder")
    light = build_light_decoder((32, 32, 32, 32), 1)
    assert light.state_dict().keys() == file.weights.keys()
    assert {k: v.shape for k, v in light.state_dict().items()} == {
        k: v.shape for k, v in file.weights.items()
    }
    save_released_light_decoder(light, tmp_path / "a.pth")
    content = torch.load(tmp_path / "a.pth", weights_only=True)
    assert content.keys() == {"config", "model_state_dict"}
    assert file.meta["config"].items() <= content["config"].items()
    assert same(load_light_decoder(tmp_path / "a.pth"), light)
    save_light_decoder(light, tmp_path / LIGHT_FILE)
    assert load_file(tmp_path / LIGHT_FILE).keys() == light.state_dict().keys()
    assert same(load_light_decoder(tmp_path / LIGHT_FILE), light)
    del content["model_state_dict"]["conv_in.bias"]
    torch.save(content, tmp_path / "less.pth")
    with pytest.raises(ValueError, match=r"conv_in\.bias is missing"):
        load_light_decoder(tmp_path / "less.pth")


@torch.no_grad()
def test_light_decoders_decode_unscaled_latents(tmp_path):
    z = torch.randn(1, 3, 2, 3)
    qwen = {"base_dim": 4, "z_dim": 3, "dim_mult": [1, 2, 4], "num_res_blocks": 1}
    qwen |= {"latents_mean": [0.5, -1.0, 2.0], "latents_std": [2.0, 0.5, 3.0]}
    kl = with_statistics(tiny())
    kl.save(tmp_path / "kl")
    light = build_light_decoder((4, 8), 1, channels=3, out_channels=12, attention=False)  # patches of 2
    save_light_decoder(light, tmp_path / LIGHT_FILE)
    kl = KLAutoencoder(str(tmp_path / "kl"))
    original = QwenVAE(pretrained=False, overrides=qwen)
    assert original.decode(z).shape == (1, 3, 8, 12)
    lightened = with_light_decoder(kl, str(tmp_path))
    expected = torch.nn.functional.pixel_shuffle(light(lightened.unscaled(z)), 2)
    assert torch.equal(lightened.decode(z), expected)
    assert lightened.vae.decoder is None
    assert lightened.init_args["light_decoder"] == str(tmp_path / LIGHT_FILE)
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(lightened.encode(x), kl.encode(x))


def test_light_decoders_of_another_autoencoder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="DCTAutoencoder takes no light decoder; sd2, qwen and kl do"):
        with_light_decoder(AUTOENCODERS.build("dct"), "anything")
    tiny().save(tmp_path / "kl")
    kl = KLAutoencoder(str(tmp_path / "kl"))
    for widths, channels, said in (
        ((4, 8), 3, "3 latent channels by a factor of 2"),
        ((4, 4, 8), 4, "4 latent"),
    ):
        save_light_decoder(build_light_decoder(widths, 1, channels), tmp_path / LIGHT_FILE)
        with pytest.raises(ValueError, match=said):
            with_light_decoder(kl, str(tmp_path))
    with pytest.raises(MissingWeightsError, match="No light decoder in"):
        with_light_decoder(kl, str(tmp_path / "kl"))
