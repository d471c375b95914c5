"""The written-out derivatives against autograd of the plain formulas, and the compiler's branch against both."""

import plain
import pytest
import torch
from torch.autograd import gradcheck

from vosr.backbones import LightningDiT, norms

BRANCHES = [True, False]


def draws(dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 2, 2, 8).to(dtype)
    angle = torch.rand(3, 4)
    return (
        x,
        torch.rand(2, 8) + 0.5,
        torch.stack([angle.cos(), angle.sin()], -1),
        angle.repeat_interleave(2, -1),
    )


@pytest.mark.parametrize("by_hand", BRANCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_norms_are_the_plain_formulas(by_hand, dtype, monkeypatch):
    monkeypatch.setattr(norms, "_by_hand", lambda x: by_hand)
    x, gains, turn, angle = draws(dtype)
    tolerance = {"atol": 1e-6, "rtol": 1e-6} if dtype == torch.float32 else {"atol": 2e-2, "rtol": 2e-2}
    y = norms.rms_norm(x, gains[0])
    assert y.dtype == dtype
    torch.testing.assert_close(y, plain.rms_norm(x, gains[0]).to(dtype), **tolerance)
    turned = norms.rotated_norm(x, gains, turn)
    assert turned.dtype == dtype
    for i in range(2):
        q = plain.rms_norm(x[:, :, i].transpose(1, 2), gains[i])
        expected = plain.rotate(q, angle.cos(), angle.sin()).transpose(1, 2)
        torch.testing.assert_close(turned[:, :, i], expected.to(dtype), **tolerance)
    tokens, scale, shift = x[:, :, 0, 0], torch.randn(2, 1, 8), torch.randn(2, 1, 8)
    y = norms.modulated_norm(tokens.float(), gains[0], scale, shift)
    torch.testing.assert_close(
        y, plain.rms_norm(tokens.float(), gains[0]) * (1 + scale) + shift, atol=1e-6, rtol=1e-6
    )


def test_derivatives(monkeypatch):
    monkeypatch.setattr(torch, "float32", torch.float64)  # finite differences need it
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    x, gains, turn, _ = (each.double() for each in draws())
    x, gains = x.requires_grad_(), gains.requires_grad_()
    scale = torch.randn(2, 1, 8, dtype=torch.float64, requires_grad=True)
    shift = torch.randn(2, 1, 8, dtype=torch.float64, requires_grad=True)
    assert gradcheck(norms.rms_norm, (x, gains[0]))
    assert gradcheck(norms.modulated_norm, (x[:, :, 0, 0], gains[0], scale, shift))
    assert gradcheck(lambda qk, g: norms.rotated_norm(qk, g, turn), (x, gains))


@pytest.mark.parametrize("options", [{}, {"end_time": True, "prediction": "residual", "rotary": "absolute"}])
def test_the_backbone_is_the_official_arithmetic(options):
    torch.manual_seed(0)
    model = LightningDiT(4, 6, width=32, depth=2, heads=2, latent_grid=8, **options)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.2)
    x, t, z = torch.randn(2, 8, 8, 12), torch.rand(2), torch.randn(2, 5, 6)
    r = t / 2 if model.end_time else None
    actual, expected = model(x, t, z, r), plain.forward(model, x, t, z, r)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)
    parameters = dict(model.named_parameters())
    wanted = torch.autograd.grad(expected.square().mean(), list(parameters.values()))
    given = torch.autograd.grad(actual.square().mean(), list(parameters.values()))
    for name, a, b in zip(parameters, given, wanted):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4, msg=name)
