"""Batches of other people's data modules."""

import pytest
import torch

from vosr.core.types import Batch
from vosr.training.batches import as_batch, check_multiple

IMAGES = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8)


def test_ours_stay_as_they_are():
    batch = Batch(IMAGES, None, ["a", "b"])
    assert as_batch(batch) is batch


@pytest.mark.parametrize(
    "value",
    [
        IMAGES,
        [IMAGES],
        (IMAGES,),
        {"hq": IMAGES},
        {"image": IMAGES},
        {"png": IMAGES, "json": [{}, {}]},
        IMAGES / 255,
    ],
    ids=["tensor", "list", "tuple", "hq", "image", "webdataset", "float"],
)
def test_clean_images_alone(value):
    batch = as_batch(value, "3-7")
    assert torch.equal(batch.hq, IMAGES)
    assert (batch.hq.dtype, batch.lq, batch.key) == (torch.uint8, None, ["3-7-0", "3-7-1"])


def test_pairs_with_keys():
    for key in ("key", "__key__"):
        batch = as_batch({"hq": IMAGES / 255, "lq": 255 - IMAGES, key: ("x", 7)})
        assert torch.equal(batch.lq, 255 - batch.hq)
        assert batch.key == ["x", "7"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"x": IMAGES}, "not dict with x"),
        (5, "not int"),
        ([IMAGES, IMAGES], "not list"),
        (IMAGES[0], r"tensor \(B, C, H, W\), not \(3, 4, 5\)"),
        ({"hq": [1, 2]}, "not list"),
        (IMAGES.int(), "not torch.int32"),
        ({"hq": IMAGES, "lq": IMAGES[..., :2]}, "both need the same size"),
    ],
)
def test_anything_else_is_explained(value, words):
    with pytest.raises(ValueError, match=words):
        as_batch(value)


def test_sizes_that_do_not_fit_are_named():
    check_multiple(48, 16)
    with pytest.raises(ValueError, match=r"130 pixels .* multiples of 16: set data\.crop_size to 128 or 144"):
        check_multiple(130, 16)
