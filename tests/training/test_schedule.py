"""One key for the learning rate, one for the length of its schedule."""

import math

import pytest
import torch
from doubles import ImageData
from lightning.pytorch.callbacks import LearningRateFinder
from training_modules import teacher, trainer

from vosr.training import CosineWithWarmup
from vosr.training.schedule import attach, follow


class Run:
    """What a schedule asks a trainer for."""

    def __init__(self, steps):
        self.estimated_stepping_batches = steps


def rates(schedule, optimizer, steps):
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def optimizer_of(rate):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)


@pytest.mark.parametrize(("steps", "warmup"), [(40, 0.25), (100, 0.05), (7, 0.5)])
def test_the_curve_is_that_of_one_cycle(steps, warmup):
    ours, theirs = optimizer_of(0.3), optimizer_of(0.3)
    schedule = CosineWithWarmup(ours, warmup)
    attach(schedule, 0.3, Run(steps))
    reference = torch.optim.lr_scheduler.OneCycleLR(
        theirs, max_lr=0.3, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    assert rates(schedule, ours, steps) == pytest.approx(rates(reference, theirs, steps), rel=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.9])
def test_short_runs_and_steps_beyond_the_end(steps, warmup):
    optimizer = optimizer_of(1.0)
    schedule = CosineWithWarmup(optimizer, warmup)
    attach(schedule, 1.0, Run(steps))
    found = rates(schedule, optimizer, steps + 3)
    assert all(4e-6 <= rate <= 1 for rate in found)
    assert found[steps:] == pytest.approx([4e-6] * 3)


def test_a_continued_run_takes_rate_and_length_that_it_is_given():
    first = CosineWithWarmup(optimizer_of(1.0))
    attach(first, 1.0, Run(10))
    for _ in range(10):
        first.optimizer.step()
        first.step()
    optimizer = optimizer_of(0.5)
    again = CosineWithWarmup(optimizer)
    attach(again, 0.5, Run(20))
    again.load_state_dict(first.state_dict())
    whole_optimizer = optimizer_of(0.5)
    whole = CosineWithWarmup(whole_optimizer)
    attach(whole, 0.5, Run(20))
    expected = rates(whole, whole_optimizer, 20)
    again.optimizer.step()
    again.step()
    assert rates(again, optimizer, 9) == expected[11:]


def test_a_run_without_an_end_needs_a_length():
    optimizer = optimizer_of(1.0)
    with pytest.raises(ValueError, match=r"give --trainer\.max_steps"):
        attach(CosineWithWarmup(optimizer), 1.0, trainer(".", max_steps=-1, max_epochs=-1))
    attach(CosineWithWarmup(optimizer, total_steps=5), 1.0, trainer(".", max_steps=-1, max_epochs=-1))


def test_one_cycle_that_contradicts_the_run(caplog):
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer_of(0.1), max_lr=0.3, total_steps=10)
    attach(schedule, 0.1, Run(10))
    assert "max_lr=0.3; model.optimizer.lr=0.1 has no effect" in caplog.text
    with pytest.raises(ValueError, match="total_steps=10, and the run has 11 steps"):
        attach(schedule, 0.3, Run(11))
    with pytest.raises(ValueError, match="total_steps=10, and the run has 12 steps"):
        attach(schedule, 0.3, Run(8), done=4)


def test_a_rate_that_lightnings_finder_finds_is_the_peak(tmp_path):
    finder = LearningRateFinder(min_lr=1e-4, max_lr=1e-2, num_training_steps=25)
    module = teacher(lr_scheduler=lambda optimizer: CosineWithWarmup(optimizer, warmup=0.0))
    fit = trainer(tmp_path, max_steps=4, callbacks=[finder], enable_checkpointing=False)
    fit.fit(module, ImageData())
    found = finder.optimal_lr.suggestion()
    assert module.lr == found
    assert 1e-4 <= found <= 1e-2
    assert fit.global_step == 4
    expected = found * (4e-6 + (1 - 4e-6) / 2 * (1 + math.cos(math.pi)))  # the step behind the last
    assert fit.optimizers[0].param_groups[0]["lr"] == pytest.approx(expected)


def test_other_schedules_say_that_they_keep_their_rates(caplog):
    follow(torch.optim.lr_scheduler.ConstantLR(optimizer_of(1.0)), 0.1)
    assert "ConstantLR keeps its own learning rates: the rate 0.1 that was found has no effect" in caplog.text
