"""A checkpoint taken by one number of ranks and workers, continued by another."""

from collections import Counter

import pytest
from shard_files import all_keys, deliveries, make_plan, write_shards_of

from data_pipelines.stream.resume import from_state, to_state

COUNTS = [5, 9, 1, 7, 12, 3, 8, 6]
TOTAL = sum(COUNTS)


def run(plan, batches, position=None):
    """Let every reader of every rank give ``batches`` batches; returns keys and the state behind them."""
    plan = position.plan if position else plan
    keys, states = [], []
    for reader in range(plan.readers):
        state = position.readers[reader] if position else None
        given = deliveries(plan, batches, reader, state)
        keys += [key for delivery in given for key in delivery.batch.key]
        states.append(given[-1].state)
    return keys, to_state(plan, batches * plan.workers, states)


@pytest.mark.parametrize(
    ("before", "after"), [((1, 1), (2, 2)), ((2, 2), (1, 3)), ((4, 1), (1, 1)), ((1, 2), (3, 3))]
)
@pytest.mark.parametrize("batches", [1, 3, 4])
def test_no_sample_of_the_pass_is_repeated_or_lost(tmp_path, before, after, batches):
    folder = write_shards_of(tmp_path, COUNTS)
    old = make_plan(folder, ranks=before[0], workers=before[1], shuffle=4)
    seen, state = run(old, batches)
    assert len(seen) == len(set(seen)) <= TOTAL
    new = make_plan(folder, ranks=after[0], workers=after[1], shuffle=1)
    position = from_state(new, state)
    assert "nothing is repeated" in " ".join(position.story)
    rest = Counter()
    missing = all_keys(COUNTS) - set(seen)
    per_reader = [[] for _ in range(new.readers)]
    for reader in range(new.readers):
        per_reader[reader] = [d.batch.key[0] for d in deliveries(position.plan, 2 * TOTAL, reader)]
    for step in range(2 * TOTAL):  # round-robin, as batches are taken
        for keys in per_reader:
            if missing:
                rest[keys[step]] += 1
                missing.discard(keys[step])
    assert not missing
    repeated = [key for key in rest if key in seen]
    # readers that finish their part first begin the next pass: that is all that may come again
    assert len(repeated) <= TOTAL * (new.readers > 1)
    if new.readers == 1:
        assert repeated == []
        assert set(rest.values()) == {1}


def test_two_changes_in_a_row(tmp_path):
    folder = write_shards_of(tmp_path, COUNTS)
    first, state = run(make_plan(folder, ranks=2, workers=2, shuffle=5), 3)
    position = from_state(make_plan(folder, ranks=3, workers=1, shuffle=4), state)
    second, state = run(None, 4, position)
    position = from_state(make_plan(folder, shuffle=1), state)
    third = [d.batch.key[0] for d in deliveries(position.plan, TOTAL - len(first) - len(second))]
    assert Counter(first + second + third) == Counter(all_keys(COUNTS))


def test_same_layout_says_nothing_and_keeps_states(tmp_path):
    plan = make_plan(write_shards_of(tmp_path, COUNTS), ranks=2, workers=2)
    _, state = run(plan, 3)
    position = from_state(plan, state)
    assert position.story == ()
    assert list(position.readers) == state["readers"]
    assert position.batches == 6


def test_other_shards_begin_anew_and_say_so(tmp_path):
    _, state = run(make_plan(write_shards_of(tmp_path / "a", [3, 4])), 2)
    position = from_state(make_plan(write_shards_of(tmp_path / "b", [3, 5])), state)
    assert "not those of the checkpoint" in " ".join(position.story)
    assert position.plan.sources[0].order.base == 0


def test_a_moved_folder_is_the_same_source(tmp_path):
    plan = make_plan(write_shards_of(tmp_path / "a", [3, 4]))
    _, state = run(plan, 2)
    (tmp_path / "a").rename(tmp_path / "b")
    assert from_state(make_plan(tmp_path / "b"), state).story == ()
