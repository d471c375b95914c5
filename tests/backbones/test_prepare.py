"""Prepared semantics give what the tokens give, gradients included, and are made once."""

import pytest
import torch
from torch import nn

from vosr.backbones import Backbone, LightningDiT
from vosr.core.types import Condition
from vosr.flow import integrate
from vosr.guidance import ClassifierFreeGuidance, NoGuidance, RestorationGuidance
from vosr.model import velocity_field

B, M = 2, 5


@pytest.fixture(params=[False, True], ids=["kept", "inside"])
def model(request):
    torch.manual_seed(0)
    model = LightningDiT(4, 6, width=32, depth=2, heads=2, latent_grid=8, end_time=True)
    for p in model.parameters():
        nn.init.normal_(p, std=0.2)
    model.prepares_inside = request.param
    return model


@pytest.fixture
def inputs():
    g = torch.Generator().manual_seed(1)
    return torch.randn(B, 4, 8, 8, generator=g), torch.rand(B, generator=g)


@pytest.fixture
def condition():
    g = torch.Generator().manual_seed(2)
    return Condition(torch.randn(B, 4, 8, 8, generator=g), torch.randn(B, M, 6, generator=g))


def gradients(model, loss, tokens):
    values = torch.autograd.grad(loss, [*model.parameters(), tokens])
    return dict(zip([*dict(model.named_parameters()), "semantics"], values))


def close(actual, expected):
    torch.testing.assert_close(actual, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("copies", [1, 3])
def test_values_and_gradients_are_those_of_the_tokens(model, inputs, condition, copies):
    z, t = (
        inputs[0].repeat(copies, 1, 1, 1) + torch.arange(copies * B).view(-1, 1, 1, 1),
        torch.rand(copies * B),
    )
    tokens = condition.tokens.requires_grad_()
    plain = model.velocity(z, t, condition.repeat(copies), t / 2)
    prepared = model.velocity(z, t, model.prepared(condition).repeat(copies), t / 2)
    close(prepared, plain)
    expected = gradients(model, plain.square().mean(), tokens)
    for name, gradient in gradients(model, prepared.square().mean(), tokens).items():
        torch.testing.assert_close(gradient, expected[name], atol=2e-6, rtol=1e-4, msg=name)


@pytest.mark.parametrize("gradient", [False, True])
def test_equal_tokens_give_what_they_give_one_by_one(model, inputs, condition, gradient):
    """The partial branch: all zeros, expanded. Also tokens that differ between samples but not within one."""
    each = torch.randn(B, 1, 6).expand(B, M, 6)
    with torch.set_grad_enabled(gradient):
        for expanded in (RestorationGuidance().partial_condition(condition).tokens, each):
            plain = model.velocity(*inputs, Condition(condition.latent, expanded.contiguous()))
            close(model.velocity(*inputs, model.prepared(Condition(condition.latent, expanded))), plain)


def test_copies_follow_one_another(model, inputs, condition):
    other = Condition(-condition.latent, -condition.tokens)
    both = model.prepared(condition).followed_by(model.prepared(other))
    z, t = inputs[0].repeat(4, 1, 1, 1), torch.rand(4 * B)
    close(model.velocity(z, t, both.repeat(2)), model.velocity(z, t, condition.followed_by(other).repeat(2)))


@pytest.mark.parametrize("guidance", [RestorationGuidance(), ClassifierFreeGuidance(), NoGuidance(), None])
@torch.no_grad()
def test_sampling_is_that_of_the_tokens(model, inputs, condition, guidance):
    times = [1.0, 0.6, 0.3, 0.0]
    actual = integrate(velocity_field(model, guidance, condition), inputs[0], times)
    if guidance is None:
        plain = lambda z, t, r: model.velocity(z, t, condition, r)  # noqa: E731
    else:
        partial = guidance.partial_condition(condition)
        partial = partial and Condition(partial.latent, partial.tokens.contiguous())
        plain = lambda z, t, r: guidance.velocity(model.velocity, z, t, condition, partial)  # noqa: E731
    close(actual, integrate(plain, inputs[0], times))


@torch.no_grad()
def test_keys_are_formed_once_for_all_steps_and_never_for_equal_tokens(model, inputs, condition):
    if model.prepares_inside:
        pytest.skip("forms them at each step")
    calls = []
    for block in model.blocks:
        block.cross_attn.k_linear.register_forward_pre_hook(lambda _, args: calls.append(args[0].shape[:2]))
    integrate(velocity_field(model, RestorationGuidance(), condition), inputs[0], [1.0, 0.5, 0.2, 0.0])
    assert calls == [(B, M)] * len(model.blocks)


@torch.no_grad()
def test_one_branch_outside_the_interval(model, inputs, condition):
    sizes = []
    model.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    guidance = RestorationGuidance(interval=(0.2, 0.6))
    actual = integrate(velocity_field(model, guidance, condition), inputs[0], [1.0, 0.6, 0.3, 0.1, 0.0])
    assert sizes == [B, 2 * B, 2 * B, B]
    partial = guidance.partial_condition(condition)
    plain = lambda z, t, r: guidance.velocity(model.velocity, z, t, condition, partial)  # noqa: E731
    close(actual, integrate(plain, inputs[0], [1.0, 0.6, 0.3, 0.1, 0.0]))


class Plain(Backbone):
    """A plug-in that prepares nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.end_time = False

    def forward(self, x, t, semantics, r=None):
        return x[:, :4] * t.view(-1, 1, 1, 1) + semantics.mean((1, 2)).view(-1, 1, 1, 1)


def test_without_override_the_tokens_stay(inputs, condition):
    model = Plain()
    assert model.prepare(condition.tokens) is condition.tokens
    guided = velocity_field(model, RestorationGuidance(scale=2.0), condition)(*inputs, inputs[1])
    partial = RestorationGuidance().partial_condition(condition)
    full, part = model.velocity(*inputs, condition), model.velocity(*inputs, partial)
    torch.testing.assert_close(guided, part + 2 * (full - part))
