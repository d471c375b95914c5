"""Stages of restoring: told in order, counted to their end, and timed apart."""

from itertools import pairwise

import numpy as np
import torch
from models import tiny_model

from vosr.core.phases import clock_of
from vosr.inference import Restorer


def test_stages_are_told_and_timed():
    restorer = Restorer(tiny_model("teacher", color_fix="adain"))
    told = []
    restorer.engine.tell = lambda *stage: told.append(stage)
    restorer.engine.phases.start(clock_of(torch.device("cpu")))
    restorer(np.zeros((20, 40, 3), np.uint8), scale=2, tile=16)
    assert [stage for stage, *_ in told[:2]] == ["encode", "backbone"]
    assert told[-1][0] == "decode"
    steps = [(done, total) for stage, done, total in told if stage == "backbone"]
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1] > 3  # three steps of several tiles
    assert all(a[0] < b[0] for a, b in pairwise(steps))
    seconds = restorer.engine.phases.take()
    assert set(seconds) == {"encode", "semantics", "backbone", "decode", "colour"}
    assert all(value > 0 for value in seconds.values())
