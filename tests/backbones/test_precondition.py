"""Scaling around a network that predicts the residual."""

import pytest
import torch

from vosr.backbones import LightningDiT
from vosr.backbones.precondition import (
    NOISE_SHARE,
    network_input,
    network_residual,
    network_velocity,
    velocity_to,
)
from vosr.core.types import Condition

STD = 0.3
TIMES = torch.tensor([0.0, 0.2, 0.7, 1.0])


def draw(count=4, side=64):
    generator = torch.Generator().manual_seed(0)
    lq, noise, residual = (torch.randn(count, 2, side, side, generator=generator) for _ in range(3))
    return lq, noise, STD * residual


def mixed(lq, noise, residual):
    t = TIMES.view(-1, 1, 1, 1)
    return torch.cat([lq, (1 - t) * (lq + residual) + t * noise], dim=1)


def test_the_right_output_gives_the_true_velocity_at_every_time():
    lq, noise, residual = draw()
    x, t = mixed(lq, noise, residual), TIMES.view(-1, 1, 1, 1)
    variance = ((1 - t) * STD) ** 2 + t**2
    y = (1 - t) * residual + t * noise
    guess = (1 - t) * STD**2 / variance * y
    output = (residual - guess) / (STD * t / variance.sqrt()).clamp_min(1e-9)
    velocity = network_velocity(x, TIMES, output, STD)
    torch.testing.assert_close(velocity[1:], (noise - lq - residual)[1:], rtol=1e-4, atol=1e-4)


def test_without_output_the_velocity_is_the_best_linear_guess():
    """At t = 1 that is the LQ image itself, at t = 0 the image in hand."""
    lq, noise, residual = draw()
    x = mixed(lq, noise, residual)
    velocity = network_velocity(x, TIMES, torch.zeros_like(lq), STD)
    torch.testing.assert_close(velocity[3], (noise - lq)[3])
    torch.testing.assert_close(velocity[0], -(lq + residual)[0])
    error = (velocity - (noise - lq - residual)).square().mean((1, 2, 3))
    expected = STD**2 / (((1 - TIMES) * STD) ** 2 + TIMES**2)
    torch.testing.assert_close(error, expected, rtol=0.05, atol=0)


def test_the_input_shrinks_as_it_becomes_noise():
    lq, noise, residual = draw()
    given, scaled = network_input(mixed(lq, noise, residual), TIMES, STD).chunk(2, dim=1)
    assert torch.equal(given, lq)
    spread = scaled.std((1, 2, 3))
    assert spread[0] == pytest.approx(1, rel=0.05)
    assert spread[3] == pytest.approx(NOISE_SHARE, rel=0.05)
    assert (spread.diff() < 0).all()


def test_a_fresh_backbone_returns_the_lq_image_in_one_step():
    model = LightningDiT(2, 4, width=16, depth=1, heads=2, latent_grid=4, prediction="residual")
    lq, noise, _ = draw(2, 4)
    condition = Condition(lq[:2], torch.zeros(2, 3, 4))
    velocity = model.velocity(noise[:2], torch.ones(2), condition)
    torch.testing.assert_close(noise[:2] - velocity, lq[:2])


def test_the_velocity_leads_to_the_lq_latent_plus_the_residual():
    generator = torch.Generator().manual_seed(3)
    x, output = (torch.randn(3, channels, 4, 4, generator=generator).double() for channels in (16, 8))
    times = torch.tensor([0.05, 0.5, 1.0]).double()
    residual = network_residual(x, times, output, STD)
    torch.testing.assert_close(velocity_to(x, times, residual), network_velocity(x, times, output, STD))
    torch.testing.assert_close(residual[2], STD * output[2])  # one step counts nothing but the network
