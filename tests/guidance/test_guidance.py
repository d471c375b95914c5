import pytest
import torch

from vosr.guidance import GUIDANCE, ClassifierFreeGuidance, NoGuidance, RestorationGuidance
from vosr.types import Condition


@pytest.fixture
def condition():
    generator = torch.Generator().manual_seed(0)
    return Condition(torch.randn(4, 2, 3, 3, generator=generator), torch.randn(4, 5, 6, generator=generator))


def linear_model(z_t, t, c):
    return z_t + 2 * c.latent + c.semantics.mean(dim=(1, 2)).view(-1, 1, 1, 1)


def test_weak_conditions(condition):
    weak = RestorationGuidance(weak_strength=0.3).weaken(condition)
    assert torch.equal(weak.latent, 0.3 * condition.latent)
    assert not weak.semantics.any()
    other = RestorationGuidance(weak_strength=0.3).weaken(condition, 0.7)
    assert torch.equal(other.latent, 0.7 * condition.latent)
    empty = ClassifierFreeGuidance().weaken(condition)
    assert not empty.latent.any()
    assert not empty.semantics.any()
    assert NoGuidance().weaken(condition) is None


@pytest.mark.parametrize("scale", [-0.5, 0.0, 0.5, 1.0, 2.0])
def test_combination_is_the_formula(condition, scale):
    guidance = RestorationGuidance()
    z, t = torch.randn(4, 2, 3, 3), torch.rand(4)
    weak = guidance.weaken(condition)
    v_full, v_weak = linear_model(z, t, condition), linear_model(z, t, weak)
    guided = guidance.velocity(linear_model, z, t, condition, weak, scale)
    torch.testing.assert_close(guided, v_weak + scale * (v_full - v_weak))


def test_interval_limits_the_scale(condition):
    guidance = RestorationGuidance(scale=3.0, interval=(0.4, 0.6))
    z, t = torch.randn(4, 2, 3, 3), torch.tensor([0.1, 0.5, 0.6, 0.9])
    weak = guidance.weaken(condition)
    guided = guidance.velocity(linear_model, z, t, condition, weak)
    full, partial = linear_model(z, t, condition), linear_model(z, t, weak)
    torch.testing.assert_close(guided[[0, 3]], full[[0, 3]])
    torch.testing.assert_close(guided[[1, 2]], (partial + 3 * (full - partial))[[1, 2]])


def test_weak_strength_has_effect(condition):
    guidance, z, t = RestorationGuidance(), torch.randn(4, 2, 3, 3), torch.rand(4)
    results = [
        guidance.velocity(linear_model, z, t, condition, guidance.weaken(condition, s), 0.5)
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
    guidance.velocity(spy, z, t, condition, guidance.weaken(condition), 1.0)
    guidance.velocity(spy, z, t, condition, guidance.weaken(condition), 0.5)
    NoGuidance().velocity(spy, z, t, condition, None)
    assert sizes == [4, 8, 4]


def test_mixing_is_replayable_and_follows_the_draw(condition):
    guidance = RestorationGuidance(weak_probability=0.5)
    draw = guidance.draw(condition.latent, torch.Generator().manual_seed(1))
    again = guidance.draw(condition.latent, torch.Generator().manual_seed(1))
    mixed = guidance.mix(condition, draw)
    assert torch.equal(mixed.latent, guidance.mix(condition, again).latent)
    full = guidance.augment(condition, draw)
    weak = guidance.weaken(condition, draw.weak_strength)
    for i, dropped in enumerate(draw.weak.tolist()):
        source = weak if dropped else full
        assert torch.equal(mixed.latent[i], source.latent[i])
        assert torch.equal(mixed.semantics[i], source.semantics[i])


def test_draw_statistics():
    guidance = RestorationGuidance()
    generator = torch.Generator().manual_seed(0)
    draw = guidance.draw(torch.zeros(20_000, 1, 1, 1), generator)
    assert float(draw.weak.float().mean()) == pytest.approx(0.1, abs=0.01)
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
    at_one = guidance.velocity(linear_model, z, t, condition, guidance.weaken(condition), 1.0)
    assert torch.equal(at_one, linear_model(z, t, condition))


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (RestorationGuidance, {"weak_probability": 1.5}, "weak_probability"),
        (RestorationGuidance, {"weak_strength_range": (0.3, 0.1)}, "low <= high"),
        (ClassifierFreeGuidance, {"interval": (0.9, 0.1)}, "t_start <= t_end"),
    ],
)
def test_bad_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)
