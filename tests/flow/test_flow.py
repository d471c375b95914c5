import math

import pytest
import torch

from vosr.flow import integrate, interpolate, sample_times, time_grid, velocity


def test_direction_of_time():
    data, noise = torch.randn(4, 2, 3, 3), torch.randn(4, 2, 3, 3)
    assert torch.equal(interpolate(data, noise, torch.zeros(4)), data)
    assert torch.equal(interpolate(data, noise, torch.ones(4)), noise)


def test_velocity_is_the_derivative_of_the_path():
    data, noise = torch.randn(4, 2, 3, 3, dtype=torch.float64), torch.randn(4, 2, 3, 3, dtype=torch.float64)
    t, step = torch.rand(4, dtype=torch.float64), 1e-6
    difference = (interpolate(data, noise, t + step) - interpolate(data, noise, t - step)) / (2 * step)
    torch.testing.assert_close(difference, velocity(data, noise), atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [1, 2, 25])
def test_grids_fall_from_one_to_zero(schedule, steps):
    grid = time_grid(steps, schedule)
    assert len(grid) == steps + 1
    assert grid[0] == 1
    assert grid[-1] == 0
    assert grid == sorted(set(grid), reverse=True)


def test_no_steps_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        time_grid(0)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_solver_order_on_a_closed_form(solver, order):
    """dz/dt = z has z(0) = z(1) / e; halving the step divides the error by 2 ** order."""
    start = torch.ones(1, 1, 1, 1, dtype=torch.float64)

    def error(steps):
        end = integrate(lambda z, t, r: z, start, time_grid(steps), solver)
        return abs(float(end) - math.exp(-1))

    # Heun's last step is Euler's, which costs it half an order at most on this problem.
    assert error(64) / error(128) == pytest.approx(2**order, rel=0.1)


def test_a_straight_field_is_exact_in_one_step():
    data, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(integrate(lambda z, t, r: noise - data, noise, [1.0, 0.0]), data)


def test_gaussian_data_flow_reaches_the_data_distribution():
    """For data N(m, s^2) the optimal velocity is known; the flow must carry N(0, 1) to N(m, s^2)."""
    m, s = 0.7, 0.3
    noise = torch.randn(20_000, 1, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def optimal(z, t, r):
        t = t.view(-1, 1, 1, 1).double()
        variance = (1 - t) ** 2 * s**2 + t**2
        slope = (t - (1 - t) * s**2) / variance
        return -m + slope * (z - (1 - t) * m)

    data = integrate(optimal, noise, time_grid(200), "heun")
    assert float(data.mean()) == pytest.approx(m, abs=0.01)
    assert float(data.std()) == pytest.approx(s, abs=0.01)


def test_time_distributions():
    generator = torch.Generator().manual_seed(0)
    uniform = sample_times(20_000, "uniform", generator)
    logit = sample_times(20_000, "logit_normal", generator)
    assert float(uniform.var()) == pytest.approx(1 / 12, rel=0.03)
    assert float(torch.logit(logit).std()) == pytest.approx(1, rel=0.03)


@pytest.mark.golden
@torch.no_grad()
def test_golden_sampling(golden, golden_backbone, golden_error):
    from vosr.core.types import Condition
    from vosr.guidance import RestorationGuidance

    file = golden("sampling")
    note = file.meta["note"]
    teacher, student = golden_backbone(note["teacher_weights"]), golden_backbone(note["student_weights"])
    condition = Condition(file["lq"], file["z"])
    guidance = RestorationGuidance(partial_strength=note["partial_strength"])
    partial = guidance.partial_condition(condition)
    for key in file.tensors:
        kind, _, rest = key.partition("_")
        if kind.startswith("multistep"):
            schedule = "cosine" if rest.startswith("cosine") else "linear"
            scale, grid = float(rest.rpartition("w")[2]), time_grid(int(kind[9:]), schedule)

            def guided(z, t, r, scale=scale):
                return guidance.velocity(teacher.velocity, z, t, condition, partial, scale)

            actual = integrate(guided, file["noise"], grid)
        elif kind == "onestep":
            grid = time_grid(int(rest[1:]))
            actual = integrate(lambda z, t, r: student.velocity(z, t, condition, r), file["noise"], grid)
        else:
            continue
        assert golden_error("sampling", key, actual) <= 1e-5, key
