"""The order of samples: permutations that are computed, an exact mixture, blocks."""

import itertools
from collections import Counter

import pytest

from data_pipelines.order import Mixture, PassOrder, hashed, permuted, uniform


@pytest.mark.parametrize("length", [1, 2, 3, 5, 10, 97, 1000, 4097])
def test_a_permutation_gives_every_number_once(length):
    for key in (0, 1, 2**63):
        assert sorted(permuted(i, length, key) for i in range(length)) == list(range(length))


def test_every_number_is_as_often_everywhere():
    counts = Counter((i, permuted(i, 7, key)) for key in range(3000) for i in range(7))
    assert len(counts) == 49
    expected = 3000 / 7
    assert (
        sum((count - expected) ** 2 / expected for count in counts.values()) < 36 + 4 * 72**0.5
    )  # chi-squared


def test_neighbours_are_torn_apart():
    order = [permuted(i, 10_000, 5) for i in range(10_000)]
    steps = [abs(a - b) for a, b in itertools.pairwise(order)]
    assert sum(steps) / len(steps) == pytest.approx(10_000 / 3, rel=0.03)
    assert order != [permuted(i, 10_000, 6) for i in range(10_000)]


def test_golden_values():
    """Checkpoints depend on these: another order would begin every run anew."""
    assert hashed(1, 2, 3) == 8_977_394_981_690_719_418
    assert [permuted(i, 10, 7) for i in range(10)] == [0, 4, 5, 2, 3, 8, 7, 1, 6, 9]


def test_uniform_numbers_lie_in_the_unit_interval_and_belong_to_their_key():
    numbers = [uniform(4, 0, position) for position in range(2000)]
    flat = [number for four in numbers for number in four]
    assert min(flat) >= 0
    assert max(flat) < 1
    assert sum(flat) / len(flat) == pytest.approx(0.5, abs=0.02)
    assert uniform(4, 0, 17) == numbers[17]
    assert len({tuple(four) for four in numbers}) == 2000


@pytest.mark.parametrize("weights", [[1, 3], [0.1, 0.2, 0.7], [5], [1, 1e-3], [2, 2, 2, 1]])
def test_a_mixture_is_exact_at_every_position(weights):
    mixture, total = Mixture(weights), sum(weights)
    seen = [0] * len(weights)
    for position in range(3000):
        assert mixture.taken(position) == seen
        source, before = mixture.at(position)
        assert before == seen[source]
        seen[source] += 1
        for count, weight in zip(seen, weights):
            assert abs(count - (position + 1) * weight / total) < len(weights)
    far = 10**15
    assert mixture.taken(far)[0] == pytest.approx(far * weights[0] / total, abs=1)


@pytest.mark.parametrize("block", [0, 1, 7, 20, 1000])
def test_a_pass_is_whole_whatever_the_block(block):
    order = PassOrder([5, 9, 1, 7, 12], True, block, 3)
    assert sorted(order[i] for i in range(34)) == list(range(34))


def test_a_block_reads_few_shards_at_a_time():
    order = PassOrder([10] * 20, True, 30, 1)
    for first in range(0, 200, 30):
        shards = {order[i] // 10 for i in range(first, min(first + 30, 200))}
        assert len(shards) == (3 if first < 180 else 2)
    assert [order[i] for i in range(30)] != sorted(order[i] for i in range(30))


def test_no_shuffling_keeps_the_order():
    assert [PassOrder([3, 4], False, 5, 1)[i] for i in range(7)] == list(range(7))
