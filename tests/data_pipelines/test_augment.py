"""Crops are mirrored and turned after the transfer, as they were drawn."""

import itertools

import numpy as np
import torch

from data_pipelines.augment import UnaugmentedBatch, augmented
from vosr.core.types import Batch


def test_every_turn_is_that_of_numpy():
    turns = tuple(itertools.product((False, True), range(4)))
    images = np.random.default_rng(0).integers(0, 256, (8, 5, 5, 3), dtype=np.uint8)
    batch = UnaugmentedBatch(*[torch.from_numpy(images).permute(0, 3, 1, 2)] * 2, list("abcdefgh"), turns)
    out = batch.to("cpu").augmented()
    assert type(out) is Batch
    assert out.key == batch.key
    assert out.hq.is_contiguous()
    assert torch.equal(out.lq, out.hq)  # partners are turned alike
    for image, (mirror, quarters), got in zip(images, turns, out.hq):
        expected = np.rot90(image[:, ::-1] if mirror else image, quarters)
        assert np.array_equal(got.permute(1, 2, 0).numpy(), expected)


def test_plain_batches_pass():
    batch = Batch(torch.zeros(1, 3, 2, 2), None, ["a"])
    assert augmented(batch) is batch
