"""What stands at a position, and that nothing but the position decides it."""

import json
from collections import Counter

import pytest
import torch
from shard_files import all_keys, deliveries, encoded_image, keys_of, make_plan, write_shards_of, write_tar

from data_pipelines import ShardDataModule
from data_pipelines.epochs import batch_layout, epoch_length, source_remarks

COUNTS = [5, 9, 1, 7]


@pytest.fixture
def mixture(tmp_path):
    """A mixture 1:3 of 22 and 15 samples."""
    return (
        write_shards_of(tmp_path / "one", COUNTS),
        write_shards_of(tmp_path / "two", [0, 0, 0, 0, 6, 9]),
    )


def test_a_pass_gives_every_sample_once_and_the_next_in_another_order(tmp_path):
    keys = keys_of(deliveries(make_plan(write_shards_of(tmp_path, COUNTS), batch_size=2), 22))
    assert Counter(keys[:22]) == Counter(all_keys(COUNTS)) == Counter(keys[22:])
    assert keys[:22] != keys[22:]


def test_no_shuffling_is_the_order_of_names(tmp_path):
    keys = keys_of(deliveries(make_plan(write_shards_of(tmp_path, COUNTS), shuffle=0), 44))
    assert keys == sorted(all_keys(COUNTS)) * 2


def test_sources_are_mixed_exactly(mixture):
    keys = keys_of(deliveries(make_plan(*mixture, weights=[1, 3], batch_size=8), 10))
    assert Counter(int(key[1:4]) < 4 for key in keys) == {True: 20, False: 60}
    second = [key for key in keys if int(key[1:4]) >= 4]
    for first in range(0, 60, 15):
        assert len(set(second[first : first + 15])) == 15


def layout(plan, loader_of, ranks, batch, steps, position=None):
    """Keys, turns and pixels of some steps by global position, over all ranks."""
    given = [[] for _ in range(steps)]
    states = []
    for rank in range(ranks):
        loader = loader_of(plan(batch), steps, ranks=ranks, rank=rank)
        if position is not None:
            loader.load_state_dict(json.loads(json.dumps(position)))
        for step, one in enumerate(loader):
            given[step] += list(zip(one.key, one.turns, one.hq))
        states.append(loader.state_dict())
    assert all(state == states[0] for state in states)
    return given, states[0]


def equal(some, others):
    return [(k, t) for k, t, _ in some] == [(k, t) for k, t, _ in others] and all(
        torch.equal(a, b) for (_, _, a), (_, _, b) in zip(some, others)
    )


@pytest.mark.parametrize("after", [(1, 12), (2, 6), (4, 3), (6, 2)])
def test_any_number_of_ranks_goes_on_with_the_same_samples(mixture, loader_of, after):
    """In the middle of the second pass of a 1:3 mixture, resumed from one integer."""

    def plan(batch):
        return make_plan(*mixture, weights=[1, 3], batch_size=batch)

    whole, _ = layout(plan, loader_of, 3, 4, 8)
    _, state = layout(plan, loader_of, 3, 4, 3)
    assert state["position"] == 36
    assert state["sources"][1]["taken"] == 27  # of 15: in its second pass
    rest, _ = layout(plan, loader_of, *after, 5, state)
    assert all(equal(some, others) for some, others in zip(rest, whole[3:], strict=True))


def test_workers_give_the_same_samples(mixture, loader_of):
    plan = make_plan(*mixture, weights=[1, 3], batch_size=2)
    alone, two = loader_of(plan, 12), loader_of(plan, 5, num_workers=2)
    whole = [(b.key, b.turns, b.hq) for b in alone]
    first = [(b.key, b.turns, b.hq) for b in two]
    three = loader_of(plan, 7, num_workers=3)
    three.load_state_dict(two.state_dict())
    for (keys, turns, hq), (k, t, h) in zip(
        whole, first + [(b.key, b.turns, b.hq) for b in three], strict=True
    ):
        assert (keys, turns) == (k, t)
        assert torch.equal(hq, h)


def test_a_changed_source_is_named_and_begins_anew_and_the_others_go_on(mixture, loader_of, caplog):
    one, two = mixture
    loader = loader_of(make_plan(one, two, batch_size=4), 9)
    seen = [key for batch in loader for key in batch.key]
    write_tar(two / "s009.tar", {"new.png": encoded_image(0)})
    plan = make_plan(one, two, batch_size=4)
    changed = loader_of(plan, 30)
    changed.load_state_dict(loader.state_dict())
    assert f"{two} has changed since the checkpoint: its 16 samples begin a new pass" in caplog.text
    assert str(one) not in caplog.text
    keys = [key for batch in changed for key in batch.key]
    assert {key for key in seen + keys[:8] if key in all_keys(COUNTS)} == all_keys(COUNTS)
    second = [key for key in keys if key not in all_keys(COUNTS)]
    assert len(set(second[:16])) == 16
    again = loader_of(plan, 30)
    again.load_state_dict(changed.state_dict())
    assert len({key for batch in again for key in batch.key}) == 38  # the shift is remembered


def test_another_seed_and_an_old_checkpoint_are_told(mixture, loader_of, caplog):
    loader = loader_of(make_plan(*mixture, seed=1))
    loader.load_state_dict(loader_of(make_plan(*mixture)).state_dict())
    assert "data.seed was 0 and is 1" in caplog.text
    loader.load_state_dict({"batches": 3, "ranks": 1, "workers": 1, "seed": 0, "sources": [], "readers": []})
    assert "of version 0.1" in caplog.text


def test_a_moved_folder_and_other_weights_lose_nothing(tmp_path, loader_of, caplog):
    one, two = write_shards_of(tmp_path / "a", [6]), write_shards_of(tmp_path / "b", [0, 40])
    loader = loader_of(make_plan(one, two), 8)
    seen = [batch.key[0] for batch in loader]
    one.rename(tmp_path / "c")
    other = loader_of(make_plan(tmp_path / "c", two, weights=[1, 3]), 8)
    other.load_state_dict(loader.state_dict())
    seen += [batch.key[0] for batch in other]
    assert caplog.text == ""
    assert Counter(key for key in seen if key.startswith("s000")) == Counter(all_keys([6]))
    assert len({key for key in seen if key.startswith("s001")}) == 10


def test_state_in_the_middle_of_a_step_is_before_its_batch(mixture, loader_of):
    interrupted = [False]
    loader = loader_of(make_plan(*mixture, batch_size=3), unused=lambda: interrupted[0])
    for _, _ in zip(range(4), loader):
        pass
    assert loader.state_dict()["position"] == 12
    interrupted[0] = True
    assert loader.state_dict()["position"] == 9


def test_overfitting_repeats_batches_crops_included(mixture, loader_of):
    loader = loader_of(make_plan(*mixture, batch_size=3), 6, repeat=2)
    batches = [(batch.key, batch.turns) for batch in loader]
    assert batches[:2] * 3 == batches
    assert batches[0] != batches[1]


def test_crops_differ_between_passes_and_seeds(tmp_path):
    folder = write_shards_of(tmp_path, [1])
    images = [d.batch.augmented().hq for d in deliveries(make_plan(folder), 40)]
    assert len({image.numpy().tobytes() for image in images}) > 20
    other = [d.batch.augmented().hq for d in deliveries(make_plan(folder, seed=1), 40)]
    assert any(not torch.equal(a, b) for a, b in zip(images, other))


class Told:
    """As much of a trainer as the division of batches looks at."""

    def __init__(self, accumulated=1):
        self.accumulate_grad_batches = accumulated


def test_global_batches_are_divided_or_refused():
    assert batch_layout(None, None, 2, None) == (32, 1)
    assert batch_layout(8, None, 2, Told(3)) == (8, 3)
    assert batch_layout(None, 24, 2, Told(3)) == (4, 3)
    trainer = Told()
    assert batch_layout(4, 24, 2, trainer) == (4, 3)
    assert trainer.accumulate_grad_batches == 3
    with pytest.raises(ValueError, match="cannot be divided among 5 devices"):
        batch_layout(None, 24, 5, None)
    with pytest.raises(ValueError, match=r"no multiple of 2 devices times data\.batch_size=5"):
        batch_layout(5, 24, 2, None)
    with pytest.raises(ValueError, match=r"accumulates 3 batches, and trainer\.accumulate_grad_batches is 2"):
        batch_layout(4, 24, 2, Told(2))


def test_an_epoch_ends_with_a_whole_step(tmp_path):
    plan = make_plan(write_shards_of(tmp_path, COUNTS), batch_size=2)
    assert epoch_length(plan, 2, 1, None)[0] == 5
    assert epoch_length(plan, 2, 2, None)[0] == 4
    assert epoch_length(plan, 2, 2, 7)[0] == 7


def test_the_log_says_what_a_block_costs(tmp_path):
    plan = make_plan(write_shards_of(tmp_path, [10] * 6), block=20)
    assert "blocks of 20 of 60 samples: a batch mixes about 2 of 6 shards" in " ".join(source_remarks(plan))
    assert {key[:4] for key in keys_of(deliveries(plan, 20))} < {f"s00{i}" for i in range(6)}


def test_what_repeats_is_said_once(tmp_path, caplog):
    caplog.set_level("INFO")
    ShardDataModule(
        str(write_shards_of(tmp_path, [3, 4])), batch_size=2, batches_per_epoch=7, num_workers=0
    ).train_dataloader()
    assert "7 batches of 2 on 1 ranks: 14 of 7 images" in caplog.text
    assert caplog.text.count("Images repeat within an epoch, 2.0 times on average") == 1
