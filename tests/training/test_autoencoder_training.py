"""Training of autoencoders and of light decoders."""

import lightning as L
import pytest
import torch
from doubles import ImageData

from vosr.autoencoders import AUTOENCODERS, KLAutoencoder
from vosr.autoencoders.light_decoder import with_light_decoder
from vosr.core.fingerprint import fingerprint
from vosr.objectives import IMAGE_LOSSES, Adversary
from vosr.objectives.discriminators import PatchDiscriminator
from vosr.training import AutoencoderModule, LightDecoderModule
from vosr.training.attention_maps import AttentionMaps, map_distance
from vosr.training.latent_statistics import latent_sums, mean_and_std
from vosr.training.randomness import StepRandom

SIZES = {"factor": 4, "latent_channels": 3, "width": 8, "layers": 1, "patch": 2, "attention": False}


def autoencoder(**overrides):
    options = {
        "autoencoder": KLAutoencoder(**SIZES),
        "image_loss": IMAGE_LOSSES.build("l1"),
        "optimizer": lambda p: torch.optim.AdamW(p, lr=5e-3),
        "ema_decay": 0.9,
        "statistics_images": 6,
    }
    return AutoencoderModule(**(options | overrides))


def light_decoder(folder, **overrides):
    options = {
        "autoencoder": KLAutoencoder(str(folder)),
        "image_loss": IMAGE_LOSSES.build("l1"),
        "layers": 1,
        "attention": False,
        "optimizer": lambda p: torch.optim.AdamW(p, lr=5e-3),
        "ema_decay": 0.9,
    }
    return LightDecoderModule(**(options | overrides))


def trained(module, folder, steps, **overrides):
    options = {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_checkpointing": False,
    }
    options |= {
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
        "default_root_dir": folder,
    }
    ckpt_path = overrides.pop("ckpt_path", None)
    trainer = L.Trainer(max_steps=steps, **(options | overrides))
    trainer.fit(module, ImageData(count=12), ckpt_path=ckpt_path)
    return trainer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    module = autoencoder()
    place = tmp_path_factory.mktemp("autoencoder")
    trained(module, place, 3)
    module.save_release(place / "model")
    return place


def test_it_learns_and_only_its_network_is_in_checkpoints(tmp_path):
    torch.manual_seed(0)
    module, losses = autoencoder(), []
    module.log = lambda name, value, **_: losses.append(float(value)) if name == "loss" else None
    fit = trained(module, tmp_path, 60, max_epochs=-1)
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])
    inside = {id(p) for group in fit.optimizers[0].param_groups for p in group["params"]}
    assert inside == {id(p) for p in module.backbone.parameters()}
    assert {name.partition(".")[0] for name in module.state_dict()} == {"backbone", "average"}


def test_statistics_are_those_of_the_last_crops(tmp_path):
    module, seen = autoencoder(), []
    step = module.training_step
    module.training_step = lambda batch, batch_idx: (seen.append(batch.hq), step(batch, batch_idx))[1]
    trained(module, tmp_path, 3)
    crops = torch.cat(seen[-2:]).float() / 127.5 - 1  # two batches of four hold the six that are asked for
    with torch.no_grad():
        mean, log_variance = module.average.moments(crops).chunk(2, dim=1)
    torch.testing.assert_close(module.average.mean.flatten(), mean.mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    variance = mean.var((0, 2, 3), correction=0) + log_variance.exp().mean((0, 2, 3))
    torch.testing.assert_close(module.average.std.flatten(), variance.sqrt(), atol=1e-5, rtol=1e-4)
    assert torch.equal(module.backbone.std, module.average.std)


def test_sums_give_the_moments_of_draws():
    moments = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, log_variance = moments.chunk(2, dim=1)
    draws = torch.stack(
        [mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=torch.Generator().manual_seed(i))
         for i in range(400)]
    )  # fmt: skip
    found = mean_and_std(latent_sums(moments))
    torch.testing.assert_close(found[0].float(), draws.mean((0, 1, 3, 4)), atol=0.02, rtol=0)
    torch.testing.assert_close(found[1].float(), draws.std((0, 1, 3, 4)), atol=0.02, rtol=0.02)


def test_resumed_run_equals_the_undisturbed_one(tmp_path):
    def run(steps, ckpt_path=None):
        module = autoencoder(equivariance=0.5)
        return trained(module, tmp_path, steps, ckpt_path=ckpt_path, max_epochs=-1), module

    first, _ = run(3)
    first.save_checkpoint(tmp_path / "half.ckpt")
    _, resumed = run(6, tmp_path / "half.ckpt")
    _, whole = run(6)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_an_equivariant_step_asks_for_the_mapped_image():
    module = autoencoder(equivariance=1.0)
    module.configure_model()
    random = StepRandom(0, 3, ["a", "b"], torch.device("cpu"))
    wanted = module.drawn_map(random)
    asked = []
    module.image_loss.forward = lambda image, target: asked.append((image, target)) or module_loss(image)

    def module_loss(image):
        from vosr.objectives import Loss

        return Loss(image.mean(), {})

    hq = torch.rand(2, 3, 32, 32)
    module.loss_of(hq, None, random)
    ((image, target),) = asked
    assert image.shape == target.shape
    torch.testing.assert_close(target * 2 - 1, wanted(hq * 2 - 1, 4))
    assert autoencoder(equivariance=0.0).drawn_map(random) is None


def test_training_starts_from_given_weights(folder):
    module = autoencoder(autoencoder=KLAutoencoder(str(folder)))
    module.configure_model()
    expected = KLAutoencoder(str(folder)).state_dict()
    for name, value in module.backbone.state_dict().items():
        assert torch.equal(value, expected[name]), name


def test_a_light_decoder_learns_from_the_frozen_original_and_drops_in(folder, tmp_path):
    torch.manual_seed(0)
    module, losses = light_decoder(folder, map_weight=0.01), []
    before = fingerprint(module.autoencoder)
    module.log = lambda name, value, **_: losses.append(float(value)) if name == "loss" else None
    trained(module, tmp_path, 60, max_epochs=-1)
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])
    assert fingerprint(module.autoencoder) == before
    assert {name.partition(".")[0] for name in module.state_dict()} == {"backbone", "average"}
    module.save_release(tmp_path / "model")
    lightened = with_light_decoder(KLAutoencoder(str(folder)), str(tmp_path))
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(lightened.decode(lightened.encode(x)), module.columns(x)["light decoder"])


def test_half_of_the_original_is_the_default():
    with torch.device("meta"):
        sd2 = AUTOENCODERS.build("sd2")
        module = LightDecoderModule(sd2, IMAGE_LOSSES.build("l1"))
        light = module.build_backbone()
    assert sum(p.numel() for p in light.parameters()) == 12_387_459
    assert {name.partition(".")[0] for name in module.state_dict()} == set()


def test_noise_on_the_latents_is_each_images_own(folder):
    module = light_decoder(folder, noise=0.5)
    hq = torch.rand(2, 3, 16, 16)
    both = module.frozen_pass(hq, hq, StepRandom(0, 1, ["a", "b"], torch.device("cpu")))[0]
    alone = module.frozen_pass(hq[1:], hq[1:], StepRandom(0, 1, ["b"], torch.device("cpu")))[0]
    torch.testing.assert_close(both[1:], alone, atol=1e-5, rtol=1e-5)
    module.noise = 0.0
    clean = module.frozen_pass(hq, hq, StepRandom(0, 1, ["a", "b"], torch.device("cpu")))[0]
    assert not torch.allclose(clean, both)


def test_attention_maps_do_not_depend_on_width_or_scale():
    x = torch.rand(2, 4, 3, 3)
    twice = torch.nn.Identity()
    with AttentionMaps([twice]) as maps:
        twice(x)
        twice(torch.cat([x, x], 1) * 5)
    assert map_distance(maps.found[:1], maps.found[1:]) < 1e-10
    twice(x)
    assert len(maps.found) == 2, "hooks are removed"
    with pytest.raises(ValueError, match="no level of the same size"):
        map_distance(maps.found[:1], [torch.rand(2, 5, 5)])


def test_what_cannot_be_trained_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="DCTAutoencoder has no decoder of its own"):
        light_decoder(folder, autoencoder=AUTOENCODERS.build("dct"))
    with pytest.raises(
        ValueError, match="4 widths enlarge by 8, which does not divide the autoencoder's factor 4"
    ):
        light_decoder(folder, widths=[8, 8, 8, 8])
    with pytest.raises(ValueError, match="equivariance in"):
        autoencoder(equivariance=2.0)
    grey = autoencoder(autoencoder=KLAutoencoder(**SIZES, image_channels=1))
    with pytest.raises(ValueError, match="images of 3 channels, and this model takes 1"):
        trained(grey, tmp_path, 1)
    adversary = Adversary(PatchDiscriminator(width=4, channels=1))
    with pytest.raises(ValueError, match="takes images of 1 channels, not 3"):
        trained(autoencoder(adversary=adversary), tmp_path, 1)


def test_images_of_any_number_of_channels(tmp_path):
    module = autoencoder(autoencoder=KLAutoencoder(**SIZES, image_channels=5))
    module.configure_model()
    images = torch.rand(2, 5, 16, 16)
    random = StepRandom(0, 0, ["a", "b"], torch.device("cpu"))
    module.loss_of(images, None, random).total.backward()
    columns = module.validation_step(images, 0)
    assert {title: image.shape for title, image in columns.items()} == dict.fromkeys(
        ("autoencoder", "HQ"), (2, 3, 16, 16)
    )
