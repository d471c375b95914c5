"""Real processes: any number of shards, ranks and workers gives every rank the same number of batches."""

import datetime
import multiprocessing
import os
import socket
import traceback
from collections import Counter

import pytest
import torch
import torch.distributed as dist
from shard_files import all_keys, clean_processes, write_shards_of

from data_pipelines import Augmentation, ShardDataModule

PATIENCE = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rank_main(rank, ranks, port, answers, work, arguments):
    """One rank: joins the others, works, and answers with its result or its error."""
    try:
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        multiprocessing.set_start_method("fork", force=True)  # for the workers: they start at once
        torch.set_num_threads(1)
        patience = datetime.timedelta(seconds=PATIENCE)
        dist.init_process_group("gloo", rank=rank, world_size=ranks, timeout=patience)
        answers.put((rank, work(*arguments), None))
        dist.destroy_process_group()
    except BaseException:
        answers.put((rank, None, traceback.format_exc()))


def on_ranks(ranks, work, *arguments):
    """Results of ``work`` on every rank; fails where a rank fails or hangs."""
    context = clean_processes()
    answers, port = context.Queue(), free_port()
    processes = [
        context.Process(target=rank_main, args=(rank, ranks, port, answers, work, arguments))
        for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    try:
        results = {}
        for _ in processes:
            rank, result, error = answers.get(timeout=PATIENCE)
            assert error is None, error
            results[rank] = result
        return [results[rank] for rank in range(ranks)]
    finally:
        for process in processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def two_epochs(folder, workers, batch_size):
    """Keys per epoch; after each batch all ranks meet, as in training."""
    module = ShardDataModule(
        str(folder), crop_size=8, batch_size=batch_size, num_workers=workers, shuffle=4,
        augmentation=Augmentation(flips=False, rotations=False),
    )  # fmt: skip
    loader = module.train_dataloader()
    epochs = []
    for _ in range(2):
        keys = []
        for batch in loader:
            keys.append(batch.key)
            dist.all_reduce(torch.ones(1))
        epochs.append(keys)
    dist.barrier()
    module.teardown("fit")
    return len(loader), epochs


@pytest.mark.parametrize(
    ("counts", "ranks", "workers"),
    [
        ([10], 4, 4),  # one shard for sixteen readers
        ([10], 2, 0),
        ([3, 0, 17, 1, 9], 2, 2),  # uneven, and an empty one
        ([3, 4], 3, 1),
        ([2] * 13, 2, 3),
    ],
)
def test_every_rank_gets_the_same_number_of_batches(tmp_path, counts, ranks, workers):
    folder = write_shards_of(tmp_path, counts)
    results = on_ranks(ranks, two_epochs, folder, workers, 2)
    expected = max(1, sum(counts) // (2 * ranks))
    seen = Counter()
    for length, epochs in results:
        assert length == expected
        assert [len(epoch) for epoch in epochs] == [expected, expected]
        for epoch in epochs:
            seen.update(key for batch in epoch for key in batch)
    assert set(seen) <= all_keys(counts)
    assert max(seen.values()) <= -(
        -2 * expected * 2 * ranks // sum(counts)
    )  # no sample more often than passes


def failing(folder):
    try:
        ShardDataModule(str(folder)).train_dataloader()
    except ValueError as error:
        return str(error)
    return None


def test_a_missing_source_is_reported_on_every_rank(tmp_path):
    for message in on_ranks(2, failing, tmp_path / "nothing"):
        assert "No data at" in message
