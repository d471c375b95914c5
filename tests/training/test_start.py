import logging

import pytest
import torch

from vosr.backbones import ConvUNet
from vosr.checkpoints import load_model
from vosr.core.weights import empty_module
from vosr.training.start import starting_weights

SHIPPED = "vosr_small_teacher"


def like_the_shipped_teacher(**changes):
    arguments = load_model(SHIPPED).backbone.init_args | changes
    return empty_module(lambda: ConvUNet(**arguments))


def test_weights_are_those_of_the_model(caplog):
    state = starting_weights(SHIPPED, like_the_shipped_teacher())
    expected = load_model(SHIPPED).backbone.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name].float(), expected[name]) for name in state)
    assert not caplog.records


def test_other_sizes_are_refused_by_name():
    with pytest.raises(ValueError, match=rf"{SHIPPED} does not fit ConvUNet: blocks\.0\..* is \(.*\), not "):
        starting_weights(SHIPPED, like_the_shipped_teacher(widths=(48, 128)))
    with pytest.raises(ValueError, match=r"r_embedder.* is unexpected"):
        starting_weights("vosr_small_student", like_the_shipped_teacher())


def test_arguments_that_change_the_meaning_of_weights_are_told(caplog):
    caplog.set_level(logging.WARNING)
    starting_weights(SHIPPED, like_the_shipped_teacher(residual_std=0.5))
    assert [record.message for record in caplog.records] == [
        f"{SHIPPED} was trained with residual_std=0.2; this run has 0.5."
    ]
