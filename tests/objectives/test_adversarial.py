"""Adversarial formulas in closed form, and a discriminator that learns beside a model that it leaves alone."""

import math

import pytest
import torch

from vosr.objectives.adversarial import Adversary, discriminator_loss, generator_loss
from vosr.objectives.discriminators import PatchDiscriminator


def maps(*values):
    return [torch.full((2, 1, 3, 3), value) for value in values]


def test_formulas():
    assert generator_loss(maps(2.0, 4.0), [], "hinge") == pytest.approx(-3.0)
    assert generator_loss(maps(1.0), maps(3.0), "relativistic") == pytest.approx(math.log1p(math.exp(2)))
    assert discriminator_loss(maps(0.0), maps(0.0), "hinge") == pytest.approx(1.0)
    assert discriminator_loss(maps(-2.0), maps(2.0), "hinge") == 0
    assert discriminator_loss(maps(0.5), maps(0.5), "relativistic") == pytest.approx(math.log(2))


def adversary(**options):
    torch.manual_seed(0)
    return Adversary(PatchDiscriminator(8, 1), lr=2e-3, **options)


@pytest.mark.parametrize("loss", ["hinge", "relativistic"])
def test_the_discriminator_learns_to_tell_grey_from_noise(loss):
    judge, real, fake = adversary(loss=loss), torch.rand(4, 3, 16, 16), torch.full((4, 3, 16, 16), 0.5)
    first = judge.accumulate(fake, real)
    judge.update()
    for _ in range(60):
        last = judge.accumulate(fake, real)
        judge.update()
    assert last < 0.6 * first
    flat = fake.clone().requires_grad_()
    judge.generator_term(flat, real).backward()
    assert flat.grad.abs().max() > 0


def test_neither_backward_pass_reaches_into_the_other_model():
    judge, image = adversary(), torch.rand(2, 3, 16, 16, requires_grad=True)
    judge.generator_term(image, image.detach()).backward()
    assert all(p.grad is None and not p.requires_grad for p in judge.trained)
    image.grad = None
    judge.accumulate(image, torch.rand(2, 3, 16, 16))
    assert image.grad is None
    assert all(p.grad is not None for p in judge.trained)


def test_two_halves_accumulate_to_the_whole_batch():
    real, fake = torch.rand(4, 3, 16, 16), torch.rand(4, 3, 16, 16)
    whole, halves = adversary(), adversary()
    for judge in (whole, halves):
        judge.eval()  # spectral norms keep their vectors
    whole.accumulate(fake, real)
    for part in (slice(0, 2), slice(2, 4)):
        halves.accumulate(fake[part], real[part], share=0.5)
    for a, b in zip(whole.trained, halves.trained):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4)


def test_weight_grows_from_its_start():
    judge = adversary(weight=0.4, start=10, ramp=3)
    assert [judge.weight_at(step) for step in (0, 9, 10, 11, 13, 99)] == pytest.approx(
        [0, 0, 0.1, 0.2, 0.4, 0.4]
    )


def test_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="must not be negative"):
        adversary(weight=-1.0)
