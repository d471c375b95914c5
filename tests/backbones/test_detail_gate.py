"""Where the LQ image has no detail, nothing is added."""

import pytest
import torch
import torch.nn.functional as F

from vosr.backbones.conv_unet import ConvUNet
from vosr.backbones.detail_gate import HALF, detail_gate

FACTOR, LEVEL = 4, 2 / 255 / 0.5  # of the latents of `pixel_shuffle`


def gate(image):
    return detail_gate(F.pixel_unshuffle(image, FACTOR), FACTOR)


def ramp(step):
    return (step * LEVEL * torch.arange(128.0)).expand(1, 3, 128, 128).contiguous()


def test_flat_areas_are_closed_and_details_are_open():
    image = torch.full((1, 3, 128, 128), 0.3)
    assert float(gate(image).max()) < 1e-3
    square = torch.arange(128).sub(65.5).square()
    image += (
        8 * LEVEL * torch.exp(-(square[:, None] + square) / (2 * 2.5**2))
    )  # a pixel of the LQ image, enlarged
    open_ = gate(image)[0, 0]
    assert float(open_[16, 16]) > 0.6
    assert float(open_[16, 24:].max()) < 1e-3  # 32 px away
    texture = 0.3 + 4 * LEVEL * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert float(gate(texture).min()) > 0.9


@pytest.mark.parametrize("step", [0.25, 1.0, 4.0])
def test_a_gradient_is_no_detail(step):
    inside = (..., slice(8, -8), slice(8, -8))
    assert float(gate(ramp(step))[inside].max()) < 0.01
    rounded = (ramp(step) / LEVEL).round() * LEVEL  # what 8 bits make of it
    assert float(gate(rounded)[inside].max()) < 0.25


def test_it_is_half_open_at_its_unit():
    y = torch.arange(128) % 2 * 2.0 - 1
    image = (HALF * y).expand(1, 3, 128, 128).contiguous()  # a stripe pattern whose smooth surface is zero
    torch.testing.assert_close(
        gate(image)[..., 8:-8, 8:-8], torch.full((1, 1, 16, 16), 0.5), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("time", [1.0, 0.5, 0.1])
def test_a_flat_image_comes_out_as_it_is_whatever_the_noise(time):
    torch.manual_seed(0)
    model = ConvUNet(48, 0, widths=(8, 8), blocks=(1, 1), pixel_factor=FACTOR)
    torch.nn.init.normal_(model.tail.weight)
    lq = torch.full((1, 48, 32, 32), 0.4)
    z = (1 - time) * lq + time * torch.randn(lq.shape, generator=torch.Generator().manual_seed(0))
    velocity = model(torch.cat([lq, z], 1), torch.tensor([time]), torch.zeros(1, 1, 0))
    torch.testing.assert_close(z - time * velocity, lq, atol=1e-3, rtol=0)
