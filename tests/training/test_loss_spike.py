"""Spikes of the loss are told, and left out where that is asked for; a lasting rise becomes the new measure."""

import logging

import lightning as L
import pytest
import torch
from doubles import ImageData
from layouts import teacher

from vosr.training.loss_spike import LASTING, LossSpike
from vosr.training.non_finite import NonFinite


class Weights(L.Callback):
    """The final layer's weights before every step."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append(pl_module.backbone.final_layer.linear.weight.detach().clone())


def trained(factors, accumulate=1, **options):
    """Callbacks of a run whose loss is multiplied by a factor in given steps."""
    module, spike, weights = teacher(), LossSpike(**options), Weights()
    plain = module.objective_loss

    def objective_loss(hq, data, condition, random):
        loss = plain(hq, data, condition, random)
        loss.total.mul_(factors.get(module.global_step, 1.0))
        return loss

    module.objective_loss = objective_loss
    trainer = L.Trainer(
        accelerator="cpu", devices=1, max_steps=15, logger=False, limit_val_batches=0,
        enable_progress_bar=False, enable_model_summary=False, accumulate_grad_batches=accumulate,
        callbacks=[NonFinite(), spike, weights],
    )  # fmt: skip
    trainer.fit(module, ImageData(count=60 * accumulate, batch_size=4))
    return spike, weights.seen[::accumulate]


@pytest.mark.parametrize(("skip", "accumulate"), [(False, 1), (True, 1), (True, 2)])
def test_a_spike_is_told_and_left_out_if_asked(skip, accumulate, caplog):
    _, weights = trained({12: 1000.0}, accumulate, skip=skip)
    (told,) = [record.message for record in caplog.records if "times the median" in record.message]
    assert told.startswith("The loss of step 12 is ")
    assert told.endswith("the step is skipped." if skip else "--loss_spike.skip=true leaves such steps out.")
    assert torch.equal(weights[12], weights[13]) == skip
    assert not torch.equal(weights[11], weights[12])


def test_a_steady_loss_says_nothing_and_changes_nothing(caplog):
    _, plain = trained({})
    _, guarded = trained({}, skip=True)
    assert all(map(torch.equal, plain, guarded))
    assert "median" not in caplog.text


def ratios(spike, losses):
    return [float(spike._ratio(torch.tensor(float(loss)))) for loss in losses]


def test_the_ratio_is_to_the_median_of_the_window():
    spike = LossSpike(window=11)
    assert ratios(spike, range(1, 12)) == pytest.approx(
        [0.0] * 10 + [11 / 5]
    )  # the lower of the two in the middle
    assert ratios(spike, [60.0]) == [10.0]  # over the median of 1 ... 11
    assert ratios(spike, [7.0]) == [1.0]  # of 2 ... 11 and 60


def test_a_rise_that_lasts_is_the_measure_after_half_a_window():
    spike = LossSpike(window=20)
    ratios(spike, [1.0] * 20)
    assert ratios(spike, [100.0] * 15) == [100.0] * 11 + [1.0] * 4


def test_divergence_is_told_once(caplog):
    caplog.set_level(logging.WARNING)
    spike = LossSpike()
    for step in range(LASTING + 5):
        spike._in_a_row = step + 1
        spike._warn(20 + step, 50.0)
    assert [record.message.partition(" times")[0] for record in caplog.records] == [
        "The loss of step 20 is 50", "The loss has been over 10"
    ]  # fmt: skip
    assert "before step 20," in caplog.text


def test_the_state_goes_on_and_another_window_begins_anew():
    first, second, other = LossSpike(window=12), LossSpike(window=12), LossSpike(window=20)
    ratios(first, range(1, 15))
    for spike in (second, other):
        spike.load_state_dict(first.state_dict())
    assert ratios(second, [30.0]) == ratios(first, [30.0]) != [0.0]
    assert ratios(other, [30.0]) == [0.0]


@pytest.mark.parametrize("wrong", [{"factor": 1.0}, {"window": 9}])
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LossSpike(**wrong)
