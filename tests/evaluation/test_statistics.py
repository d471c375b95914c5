"""Bootstrap intervals against closed forms."""

import numpy as np
import pytest

from vosr.evaluation.statistics import estimate


def test_interval_of_independent_values_is_the_normal_one():
    values = np.random.default_rng(1).normal(5, 2, 400)
    found = estimate(list(values), [str(i) for i in range(400)])
    half = 1.96 * values.std() / np.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)
    assert found.count == 400


def test_crops_of_one_photograph_count_as_one():
    values = np.random.default_rng(2).normal(0, 1, 60)
    alone = estimate(list(values), [str(i) for i in range(60)])
    repeated = estimate(list(np.repeat(values, 5)), [str(i // 5) for i in range(300)])
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high))
    wrong = estimate(list(np.repeat(values, 5)), [str(i) for i in range(300)])
    assert wrong.high - wrong.low < 0.5 * (repeated.high - repeated.low)


def test_means_weight_every_value_alike():
    assert estimate([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"]).mean == 2.0


def test_equal_values_have_a_certain_mean():
    found = estimate([0.25] * 6, list("aabbcc"))
    assert (found.low, found.high) == (0.25, 0.25)
    assert found.excludes_zero


def test_what_cannot_be_known():
    assert estimate([], []) is None
    one = estimate([3.0, 4.0], ["a", "a"])
    assert (one.mean, one.low, one.high) == (3.5, None, None)
    assert not one.excludes_zero
    assert not estimate([-1.0, 1.0, 2.0, -2.0], list("abcd")).excludes_zero
