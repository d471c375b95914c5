"""One reader: what it gives, in which order, and how it goes on from a state."""

from collections import Counter

import pytest
import torch
from shard_files import all_keys, deliveries, make_plan, write_shards_of


def keys_of(given):
    return [key for delivery in given for key in delivery.batch.key]


@pytest.fixture
def folder(tmp_path):
    return write_shards_of(tmp_path / "shards", [5, 9, 1, 7])


def test_a_pass_gives_every_sample_once(folder):
    keys = keys_of(deliveries(make_plan(folder, batch_size=2, shuffle=11), 22))
    assert set(keys[:22]) == all_keys([5, 9, 1, 7])
    assert set(keys[22:]) == set(keys[:22])


def test_window_shuffles_within_its_size(folder):
    straight = keys_of(deliveries(make_plan(folder, shuffle=1), 22))
    shuffled = keys_of(deliveries(make_plan(folder, shuffle=6), 22))
    assert shuffled != straight
    for window in range(3):
        assert set(shuffled[6 * window : 6 * window + 6]) == set(straight[6 * window : 6 * window + 6])


@pytest.mark.parametrize("taken", [1, 5, 6, 7, 13, 40])
def test_state_continues_with_the_same_batches(folder, taken):
    plan = make_plan(folder, batch_size=2, shuffle=6)
    whole = deliveries(plan, taken + 12)
    resumed = deliveries(plan, 12, state=whole[taken - 1].state)
    for expected, actual in zip(whole[taken:], resumed):
        assert actual.batch.key == expected.batch.key
        assert torch.equal(actual.batch.hq, expected.batch.hq)
        assert actual.batch.turns == expected.batch.turns
        assert actual.state == expected.state


def test_parts_of_one_shard_are_disjoint_and_complete(tmp_path):
    folder = write_shards_of(tmp_path, [11])
    plan = make_plan(folder, ranks=2, workers=2, shuffle=1)
    assert plan.sources[0].order.parts == 4
    per_reader = [set(keys_of(deliveries(plan, 12, reader))) for reader in range(4)]
    assert set.union(*per_reader) == all_keys([11])
    first = [keys_of(deliveries(plan, 2, reader)) for reader in range(4)]
    assert len({key for keys in first for key in keys}) == 8


def test_sources_are_mixed_by_weight(tmp_path):
    few, many = write_shards_of(tmp_path / "few", [4]), write_shards_of(tmp_path / "many", [0, 8])
    plan = make_plan(few, many, weights=[3.0, 1.0], batch_size=50)
    shards = Counter(key.split("/")[0] for key in keys_of(deliveries(plan, 20)))
    assert shards["s000"] / 1000 == pytest.approx(0.75, abs=0.04)


def test_mixture_continues_too(tmp_path):
    plan = make_plan(
        write_shards_of(tmp_path / "a", [6, 6]),
        write_shards_of(tmp_path / "b", [0, 0, 9]),
        batch_size=3,
        shuffle=5,
    )
    whole = deliveries(plan, 14)
    resumed = deliveries(plan, 6, state=whole[7].state)
    assert keys_of(resumed) == keys_of(whole[8:])


def test_crops_differ_between_passes_and_seeds(tmp_path):
    folder = write_shards_of(tmp_path, [1])
    plan = make_plan(folder, shuffle=1)
    images = [d.batch.turned().hq for d in deliveries(plan, 40)]
    assert len({image.numpy().tobytes() for image in images}) > 20
    other = [d.batch.turned().hq for d in deliveries(make_plan(folder, shuffle=1, seed=1), 40)]
    assert any(not torch.equal(a, b) for a, b in zip(images, other))


def test_state_is_plain_values(folder, tmp_path):
    state = deliveries(make_plan(folder), 9)[-1].state
    torch.save(state, tmp_path / "state.pt")
    assert torch.load(tmp_path / "state.pt", weights_only=True) == state
