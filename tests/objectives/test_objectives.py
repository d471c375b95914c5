import pytest
import torch

from vosr.core.types import Condition
from vosr.guidance import ConditionDraw, RestorationGuidance
from vosr.objectives import OBJECTIVES, RCGM, FlowDraw, FlowMatching, Shortcut


def recorded(file, guidance):
    """Condition, its augmented and mixed forms, and the flow draw of a golden file."""
    condition = Condition(file["lq"], file["z"])
    draw = ConditionDraw(
        file["cond_noise"], file["cond_strength"], file["partial_mask"].bool(), guidance.partial_strength
    )
    flow = FlowDraw(file["eps"], file["t"], file.tensors.get("r"))
    return condition, guidance.augment(condition, draw), guidance.mix(condition, draw), flow


def check_gradients(name, file, model, golden_error, tolerance):
    parameters = dict(model.named_parameters())
    for key in file.tensors:
        if key.startswith("grad."):
            assert golden_error(name, key, parameters[key.removeprefix("grad.")].grad) <= tolerance, key


@pytest.mark.golden
def test_golden_loss_flow_matching(golden, golden_backbone, golden_error):
    file, model = golden("loss_flow_matching"), golden_backbone("backbone_teacher")
    guidance = RestorationGuidance(partial_strength=file.meta["note"]["partial_strength"])
    _, _, mixed, flow = recorded(file, guidance)
    model.zero_grad()
    loss = FlowMatching().loss(lambda z, t: model.velocity(z, t, mixed), file["hq"], flow)
    loss.total.backward()
    assert golden_error("loss_flow_matching", "loss", loss.total.detach()) <= 1e-5
    check_gradients("loss_flow_matching", file, model, golden_error, 1e-5)


@pytest.mark.golden
@pytest.mark.parametrize(("name", "target_tolerance"), [("rcgm", 3e-4), ("shortcut", 1e-5)])
def test_golden_loss_distillation(golden, golden_backbone, golden_error, name, target_tolerance):
    recorded_as = f"loss_{name}"
    file = golden(recorded_as)
    note = file.meta["note"]
    teacher, student = golden_backbone("backbone_teacher"), golden_backbone("backbone_student")
    guidance = RestorationGuidance(scale=note["omega"], partial_strength=note["partial_strength"])
    condition, augmented, mixed, flow = recorded(file, guidance)
    partial = guidance.partial_condition(condition)
    objective = (
        RCGM(note["u_weight"], note["delta"], note["n"]) if name == "rcgm" else Shortcut(note["u_weight"])
    )

    def guided(z, t):
        v = guidance.velocity(teacher.velocity, z, t, augmented, partial)
        assert golden_error(recorded_as, "teacher_target", v) <= 1e-5
        return v

    def average(z, t, r):
        return student.velocity(z, t, mixed.repeat(len(z) // len(mixed.latent)), r)

    student.zero_grad()
    loss = objective.loss(average, guided, file["hq"], flow)
    loss.total.backward()
    assert golden_error(recorded_as, "loss", loss.total.detach()) <= target_tolerance
    check_gradients(recorded_as, file, student, golden_error, target_tolerance)

    from vosr.flow import interpolate

    with torch.no_grad():
        z_t = interpolate(file["hq"], file["eps"], file["t"])
        u = average(z_t, file["t"], file["r"])
        target = objective.target(average, u, file["teacher_target"], z_t, file["t"], file["r"])
    assert golden_error(recorded_as, "average_velocity_target", target) <= target_tolerance


def gaussian_average_velocity(mean, std):
    """Exact average velocity of the flow N(0, 1) -> N(mean, std^2): z moves along known quantiles."""

    def spread(t):
        return ((1 - t) ** 2 * std**2 + t**2).sqrt()

    def average(z, t, r):
        t, r = (x.view(-1, 1, 1, 1) for x in (t, r))
        end = (1 - r) * mean + spread(r) / spread(t) * (z - (1 - t) * mean)
        gap = t - r
        slope = (t - (1 - t) * std**2) / spread(t) ** 2
        instant = -mean + slope * (z - (1 - t) * mean)
        return torch.where(gap > 1e-6, (z - end) / gap.clamp_min(1e-6), instant)

    return average


@pytest.mark.parametrize("objective", [RCGM(delta=0.001, clamp=10.0), Shortcut()], ids=["rcgm", "shortcut"])
def test_exact_average_velocity_is_a_fixed_point(objective):
    """On Gaussian data the true average velocity is known: both losses must vanish at it."""
    exact = gaussian_average_velocity(0.4, 0.5)
    data = 0.4 + 0.5 * torch.randn(256, 1, 1, 1, dtype=torch.float64)
    draw = objective.draw(data, torch.Generator().manual_seed(0))
    draw = FlowDraw(draw.noise, draw.t.double(), draw.r.double())
    loss = objective.loss(exact, lambda z, t: exact(z, t, t), data, draw)
    assert float(loss.terms["velocity"]) < 1e-12
    assert float(loss.terms["average_velocity"]) < 1e-5


@pytest.mark.parametrize("objective", [RCGM(), Shortcut()], ids=["rcgm", "shortcut"])
def test_one_evaluation_of_the_student_has_a_gradient(objective):
    """FSDP2 keeps a weight's whole gradient until all evaluations have theirs."""
    scale = torch.ones((), requires_grad=True)
    with_gradient = []

    def student(z, t, r):
        with_gradient.append(torch.is_grad_enabled())
        return scale * z

    data = torch.randn(4, 1, 2, 2)
    draw = objective.draw(data, torch.Generator().manual_seed(0))
    objective.loss(student, lambda z, t: -z, data, draw).total.backward()
    assert sum(with_gradient) == 1 < len(with_gradient)
    assert float(scale.grad) != 0


def test_rcgm_near_case_leaves_the_teacher_velocity():
    """Where the teacher's step reaches r, the target is the teacher's velocity itself (up to the clamp)."""
    objective = RCGM(delta=0.1)
    z, v = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4) * 0.1
    t = torch.tensor([0.5, 0.6, 0.7])
    u = torch.randn_like(z) * 0.1
    target = objective.target(lambda z, t, r: torch.zeros_like(z), u, v, z, t, t - 0.05)
    torch.testing.assert_close(target, v)


def test_rcgm_correction_is_clamped():
    objective = RCGM(clamp=0.25)
    z = torch.randn(2, 1, 4, 4)
    u = 100 * torch.ones_like(z)
    target = objective.target(lambda z, t, r: u, u, -u, z, torch.tensor([0.9, 0.9]), torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(u - target, torch.full_like(z, 0.25))


def test_distillation_times():
    draw = RCGM().draw(torch.zeros(20_000, 1, 1, 1), torch.Generator().manual_seed(0))
    assert bool((draw.r <= draw.t).all())
    assert bool((draw.r >= 0).all())
    assert float(draw.t.mean()) == pytest.approx(2 / 3, abs=0.01)  # maximum of two uniforms
    assert float((draw.r / draw.t).mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("name", OBJECTIVES.names())
def test_draws_replay(name):
    objective, data = OBJECTIVES.build(name), torch.zeros(4, 2, 3, 3)
    first = objective.draw(data, torch.Generator().manual_seed(5))
    second = objective.draw(data, torch.Generator().manual_seed(5))
    assert torch.equal(first.noise, second.noise)
    assert torch.equal(first.t, second.t)


def test_u_weight_scales_only_its_term():
    exact = gaussian_average_velocity(0.4, 0.5)
    data = torch.randn(8, 1, 1, 1)
    draw = Shortcut().draw(data, torch.Generator().manual_seed(0))

    def student(z, t, r):
        return exact(z, t, r) + 0.1 * (t - r).view(-1, 1, 1, 1)

    single = Shortcut(1.0).loss(student, lambda z, t: exact(z, t, t), data, draw)
    double = Shortcut(2.0).loss(student, lambda z, t: exact(z, t, t), data, draw)
    torch.testing.assert_close(double.total - single.total, single.terms["average_velocity"])


def test_bad_arguments():
    with pytest.raises(ValueError, match="delta"):
        RCGM(delta=0)
    with pytest.raises(ValueError, match="substeps"):
        RCGM(substeps=0)
