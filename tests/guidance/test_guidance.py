import pytest
import torch

from vosr.core.types import Condition
from vosr.guidance import GUIDANCE, ClassifierFreeGuidance, NoGuidance, RestorationGuidance


@pytest.fixture
def condition():
    generator = torch.Generator().manual_seed(0)
    return Condition(torch.randn(4, 2, 3, 3, generator=generator), torch.randn(4, 5, 6, generator=generator))


def linear_model(z_t, t, c):
    return z_t + 2 * c.latent + c.semantics.mean(dim=(1, 2)).view(-1, 1, 1, 1)


def test_partial_conditions(condition):
    partial = RestorationGuidance(partial_strength=0.3).partial_condition(condition)
    assert torch.equal(partial.latent, 0.3 * condition.latent)
    assert not partial.semantics.any()
    other = RestorationGuidance(partial_strength=0.3).partial_condition(condition, 0.7)
    assert torch.equal(other.latent, 0.7 * condition.latent)
    empty = ClassifierFreeGuidance().partial_condition(condition)
    assert not empty.latent.any()
    assert not empty.semantics.any()
    assert NoGuidance().partial_condition(condition) is None


@pytest.mark.parametrize("scale", [-0.5, 0.0, 0.5, 1.0, 2.0])
def test_combination_is_the_formula(condition, scale):
    guidance = RestorationGuidance()
    z, t = torch.randn(4, 2, 3, 3), torch.rand(4)
    partial = guidance.partial_condition(condition)
    v_full, v_partial = linear_model(z, t, condition), linear_model(z, t, partial)
    guided = guidance.velocity(linear_model, z, t, condition, partial, scale)
    torch.testing.assert_close(guided, v_partial + scale * (v_full - v_partial))


def test_interval_limits_the_scale(condition):
    guidance = RestorationGuidance(scale=3.0, interval=(0.4, 0.6))
    z, t = torch.randn(4, 2, 3, 3), torch.tensor([0.1, 0.5, 0.6, 0.9])
    partial = guidance.partial_condition(condition)
    guided = guidance.velocity(linear_model, z, t, condition, partial)
    v_full, v_partial = linear_model(z, t, condition), linear_model(z, t, partial)
    torch.testing.assert_close(guided[[0, 3]], v_full[[0, 3]])
    torch.testing.assert_close(guided[[1, 2]], (v_partial + 3 * (v_full - v_partial))[[1, 2]])


def test_partial_strength_has_effect(condition):
    guidance, z, t = RestorationGuidance(), torch.randn(4, 2, 3, 3), torch.rand(4)
    results = [
        guidance.velocity(linear_model, z, t, condition, guidance.partial_condition(condition, s), 0.5)
        for s in (0.1, 0.2)
    ]
    assert not torch.allclose(*results)


def test_one_branch_where_the_other_has_no_weight(condition):
    sizes = []

    def spy(z_t, t, c):
        sizes.append(len(z_t))
        return linear_model(z_t, t, c)

    z, t = torch.randn(4, 2, 3, 3), torch.rand(4)
    guidance = RestorationGuidance()
    guidance.velocity(spy, z, t, condition, guidance.partial_condition(condition), 1.0)
    guidance.velocity(spy, z, t, condition, guidance.partial_condition(condition), 0.5)
    NoGuidance().velocity(spy, z, t, condition, None)
    assert sizes == [4, 8, 4]


def test_mixing_is_replayable_and_follows_the_draw(condition):
    guidance = RestorationGuidance(partial_probability=0.5)
    draw = guidance.draw(condition.latent, torch.Generator().manual_seed(1))
    again = guidance.draw(condition.latent, torch.Generator().manual_seed(1))
    mixed = guidance.mix(condition, draw)
    assert torch.equal(mixed.latent, guidance.mix(condition, again).latent)
    full = guidance.augment(condition, draw)
    partial = guidance.partial_condition(condition, draw.partial_strength)
    for i, dropped in enumerate(draw.partial.tolist()):
        source = partial if dropped else full
        assert torch.equal(mixed.latent[i], source.latent[i])
        assert torch.equal(mixed.semantics[i], source.semantics[i])


def test_draw_statistics():
    guidance = RestorationGuidance()
    generator = torch.Generator().manual_seed(0)
    draw = guidance.draw(torch.zeros(20_000, 1, 1, 1), generator)
    assert float(draw.partial.float().mean()) == pytest.approx(0.1, abs=0.01)
    logit = torch.logit(draw.fidelity.double())
    assert float(logit.mean()) == pytest.approx(5, abs=0.05)
    assert float(logit.std()) == pytest.approx(1, abs=0.05)
    strengths = [guidance.draw_strength(generator) for _ in range(500)]
    assert min(strengths) >= 0.05
    assert max(strengths) <= 0.25
    assert sum(strengths) / 500 == pytest.approx(0.15, abs=0.01)


def test_augmentation_keeps_unit_variance():
    latent = torch.randn(64, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    guidance = RestorationGuidance(fidelity_logit=0.0)
    draw = guidance.draw(latent, torch.Generator().manual_seed(1))
    mixed = guidance.augment(Condition(latent, torch.zeros(64, 1, 1)), draw)
    assert float(mixed.latent.var()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("name", GUIDANCE.names())
def test_every_guidance_mixes_and_combines(name, condition):
    guidance = GUIDANCE.build(name)
    mixed = guidance.mix(condition, guidance.draw(condition.latent, torch.Generator().manual_seed(0)))
    assert mixed.latent.shape == condition.latent.shape
    z, t = torch.randn(4, 2, 3, 3), torch.rand(4)
    at_one = guidance.velocity(linear_model, z, t, condition, guidance.partial_condition(condition), 1.0)
    assert torch.equal(at_one, linear_model(z, t, condition))


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (RestorationGuidance, {"partial_probability": 1.5}, "partial_probability"),
        (RestorationGuidance, {"partial_strength_range": (0.3, 0.1)}, "low <= high"),
        (ClassifierFreeGuidance, {"interval": (0.9, 0.1)}, "t_start <= t_end"),
    ],
)
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)
