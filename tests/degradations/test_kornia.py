"""Kornia's augmentations as degradations, ours as modules of kornia's, and the contract that both keep."""

from dataclasses import dataclass

import kornia.augmentation
import pytest
import torch
import yaml

from vosr.cli.names import expand_arguments, expand_config
from vosr.degradations import DEGRADATIONS, GaussianNoise, KorniaAugmentation
from vosr.degradations.base import Degradation, DegradationParams, to_8_bits
from vosr.degradations.contract import faults
from vosr.degradations.draws import Draws


def image(batch=3, side=32):
    return to_8_bits(torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(0)))


BLUR = {"kernel_size": [3, 9], "angle": 45.0, "direction": 0.5, "p": 0.7}
SETTINGS = {
    "RandomMotionBlur": BLUR,
    "RandomGaussianNoise": {"std": 0.1, "p": 0.8},
    "RandomBoxBlur": {},
    "RandomPlasmaShadow": {"p": 1.0},
    "RandomSaltAndPepperNoise": {"p": 1.0},
    "ColorJiggle": {"brightness": 0.3, "hue": [-0.1, 0.1]},
    "RandomElasticTransform": {},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_any_augmentation_keeps_the_contract(name):
    degradation = KorniaAugmentation(name, SETTINGS[name])
    assert faults(degradation) == []
    before = torch.random.get_rng_state()
    params = degradation.sample(3, torch.Generator().manual_seed(1))
    lq = degradation.apply(image(), params)
    assert torch.equal(torch.random.get_rng_state(), before)  # kornia's draws are not ours
    other = degradation.apply(image(), degradation.sample(3, torch.Generator().manual_seed(5)))
    assert not torch.equal(lq, other)


def test_the_result_is_kornias_own():
    degradation = KorniaAugmentation("RandomMotionBlur", BLUR | {"p": 1.0})
    params = degradation.sample(2, torch.Generator().manual_seed(0))
    lq = degradation.apply(image(2), params)
    for i in range(2):
        torch.manual_seed(int(params.draw[i]))
        theirs = kornia.augmentation.RandomMotionBlur((3, 9), 45.0, 0.5, p=1.0)(image(2)[i : i + 1])
        torch.testing.assert_close(lq[i : i + 1], to_8_bits(theirs))


def test_a_config_names_kornias_class_itself():
    text = """
    model:
      init_args:
        degradation:
          class_path: sequence
          init_args:
            steps:
              - class_path: kornia.augmentation.RandomMotionBlur
                init_args: {kernel_size: 5, angle: 30.0, direction: 0.0}
              - kornia.augmentation.RandomBoxBlur
              - jpeg
    """
    expanded = expand_config(yaml.safe_load(text))["model"]["init_args"]["degradation"]
    motion, box, jpeg = expanded["init_args"]["steps"]
    assert motion["class_path"] == "vosr.degradations.kornia_augmentation.KorniaAugmentation"
    assert motion["init_args"]["augmentation"] == "RandomMotionBlur"
    assert motion["init_args"]["settings"] == {"kernel_size": 5, "angle": 30.0, "direction": 0.0}
    assert box["init_args"] == {"augmentation": "RandomBoxBlur", "settings": {}}
    assert jpeg["class_path"].endswith("JPEG")
    (flag,) = expand_arguments(["--model.degradation=kornia.augmentation.RandomBoxBlur"])
    assert yaml.safe_load(flag.partition("=")[2])["init_args"]["augmentation"] == "RandomBoxBlur"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: KorniaAugmentation("RandomMotionBlurr"), "near to it: RandomMotionBlur"),
        (lambda: KorniaAugmentation("AugmentationSequential"), "no image augmentation"),
        (lambda: KorniaAugmentation("RandomBoxBlur", {"kernel": 3}), "RandomBoxBlur refuses"),
        (
            lambda: KorniaAugmentation("CenterCrop", {"size": 8})(image()),
            "8 x 8 pixels; a degradation must keep",
        ),
    ],
)
def test_mistakes_are_one_sentence(build, message):
    with pytest.raises(ValueError, match=message):
        build()


STEPS = ("sequence", "shuffle", "choice")


def build(name):
    steps = [DEGRADATIONS.build(part) for part in ("gaussian_blur", "poisson_noise", "jpeg")]
    return DEGRADATIONS.build(name, **({"steps": steps} if name in STEPS else {}))


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_every_degradation_keeps_the_contract(name):
    assert faults(build(name)) == []


@pytest.mark.parametrize("name", DEGRADATIONS.names())
def test_every_degradation_is_a_module_of_kornias(name):
    flip = kornia.augmentation.RandomHorizontalFlip(p=1.0)
    both = kornia.augmentation.AugmentationSequential(flip, build(name), data_keys=["input"])
    hq = image(2, 64)
    torch.manual_seed(3)
    lq = both(hq)
    torch.manual_seed(3)
    flip.forward_parameters(hq.shape)
    assert lq.shape == hq.shape
    torch.testing.assert_close(lq * 255, (lq * 255).round())
    assert list(both.parameters()) == []


class OwnStream(GaussianNoise):
    """Draws from torch's global generator whatever it is given."""

    def sample(self, batch_size, generator=None):
        return super().sample(batch_size, None)


@dataclass(frozen=True)
class NothingDrawn(DegradationParams):
    none: torch.Tensor


class DrawsLate(Degradation):
    """Draws in apply."""

    def sample(self, batch_size, generator=None):
        return NothingDrawn(torch.zeros(batch_size))

    def apply(self, hq, params):
        return to_8_bits(hq + 0.1 * torch.randn_like(hq))


class Untyped(DrawsLate):
    """Draws a mapping, as in version 0.1."""

    def sample(self, batch_size, generator=None):
        return {"none": torch.zeros(batch_size)}


class MeanOfBatch(DrawsLate):
    """Mixes the images of a batch."""

    def apply(self, hq, params):
        return to_8_bits(0.5 * hq + 0.5 * hq.mean(0, keepdim=True))


class Halves(DrawsLate):
    """Gives another size."""

    def apply(self, hq, params):
        return hq[..., ::2]


class Between(DrawsLate):
    """Gives values between levels."""

    def apply(self, hq, params):
        return hq * 0.701


class InPlace(DrawsLate):
    """Works on what it is given."""

    def apply(self, hq, params):
        return hq.mul_(0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (OwnStream(), "ignores the generator"),
        (DrawsLate(), "draws numbers in apply"),
        (Untyped(), "parameters of type dict: derive a dataclass from DegradationParams"),
        (MeanOfBatch(), "depends on the batch"),
        (Halves(), "the size of the HQ must be kept"),
        (Between(), "between 8-bit steps"),
        (InPlace(), "changes the HQ"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Degradation) else "",
)
def test_an_author_is_told_what_is_wrong(wrong, told):
    (fault, *_) = faults(wrong)
    assert told in fault


def test_parameters_of_one_image_can_be_selected():
    params = KorniaAugmentation("RandomBoxBlur").sample(4, torch.Generator().manual_seed(0))
    assert torch.equal(params.select(torch.tensor([2])).draw, params.draw[2:3])
    assert torch.equal(params.draw, Draws(4, torch.Generator().manual_seed(0)).seeds())


def test_the_command_checks(capsys):
    from vosr.cli.main import main

    assert main(["degrade", "--check", "--degradation", "gaussian_noise"]) == 0
    assert "GaussianNoise: draws from its generator alone" in capsys.readouterr().out
    with pytest.raises(SystemExit) as status:
        main(["degrade", "--check", "--degradation", f"{MeanOfBatch.__module__}.MeanOfBatch"])
    assert status.value.code == 2
    assert "MeanOfBatch depends on the batch" in capsys.readouterr().err
