"""Stages of restoring: reported in order, counted to their end, and timed apart."""

from itertools import pairwise

import numpy as np
from models import tiny_model

from vosr.inference import Restorer


def test_stages_are_reported_and_timed():
    restorer = Restorer(tiny_model("teacher", color_fix="adain"))
    reported = []
    restorer.engine.progress = lambda *stage: reported.append(stage)
    restorer(np.zeros((20, 40, 3), np.uint8), scale=2, tile=16)
    assert [stage for stage, *_ in reported[:2]] == ["encode", "backbone"]
    assert reported[-1][0] == "decode"
    steps = [(done, total) for stage, done, total in reported if stage == "backbone"]
    assert steps[0][0] == 0
    assert steps[-1][0] == steps[-1][1] > 3  # three steps of several tiles
    assert all(a[0] < b[0] for a, b in pairwise(steps))
    seconds = restorer.seconds
    assert set(seconds) == {"encode", "semantics", "backbone", "decode", "colour"}
    assert all(value > 0 for value in seconds.values())
