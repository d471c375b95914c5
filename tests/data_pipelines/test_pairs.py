"""Training and validation on real pairs: the same part of both, in shards and in folders."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from shard_files import deliveries, encoded_image, make_plan, write_tar

from data_pipelines import ImageFolder, PairedFolders, ShardDataModule
from data_pipelines.crop import Crop
from data_pipelines.failures import ImageError, Reason
from data_pipelines.pairs import decode_pair


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def ramps(side, factor):
    """An image whose red tells x and green tells y, and the same at 1/factor."""
    y, x = np.mgrid[:side, :side] * (255 / side)
    full = np.stack([x, y, x * 0], axis=2)
    small = full.reshape(side // factor, factor, side // factor, factor, 3).mean((1, 3))
    return full.round().astype(np.uint8), small.round().astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize(("x", "y"), [(0.0, 1.0), (0.37, 0.81), (0.5, 0.5)])
def test_both_are_cut_at_the_same_place(factor, x, y):
    high, low = ramps(64, factor)
    clean, degraded = decode_pair(png(high), png(low), Crop(x, y), 20)
    left, top = Crop(x, y).corner(64, 64, 20)
    assert np.array_equal(clean, high[top : top + 20, left : left + 20])
    enlarged = np.asarray(Image.fromarray(low).resize((64, 64), Image.Resampling.BICUBIC))
    assert np.abs(degraded.astype(int) - enlarged[top : top + 20, left : left + 20]).max() <= 1


def test_small_pairs_are_enlarged_together_and_shapes_must_agree():
    high, low = ramps(16, 2)
    clean, degraded = decode_pair(png(high), png(low), Crop(), 32)
    assert clean.shape == degraded.shape == (32, 32, 3)
    assert np.abs(clean.astype(int) - degraded).mean() < 6
    with pytest.raises(ImageError, match="its partner 8x4") as caught:
        decode_pair(png(high), png(low[:4]), Crop(), 8)
    assert caught.value.reason is Reason.UNEQUAL_PAIR


@pytest.fixture(params=["shards", "folders"])
def pairs(request, tmp_path):
    """Twelve pairs in which the degraded image is the clean one's negative; arguments of the data module."""
    members = {}
    for i in range(12):
        pixels = np.asarray(Image.open(io.BytesIO(encoded_image(i, 24))))
        members[f"{i:02d}.hq.png"], members[f"{i:02d}.lq.png"] = png(pixels), png(255 - pixels)
    if request.param == "shards":
        return {"train": str(write_tar(tmp_path / "x.tar", members)), "lq": "lq"}
    for name, content in members.items():
        path = tmp_path / name.split(".")[1] / f"{name.split('.')[0]}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "lq/alone.png").write_bytes(encoded_image(0))
    return {"train": str(tmp_path / "hq"), "lq": str(tmp_path / "lq")}


def test_pairs_train_with_equal_crops_and_turns(pairs):
    module = ShardDataModule(**pairs, crop_size=8, batch_size=4, num_workers=0)
    unturned = list(module.train_dataloader())
    batches = [module.on_after_batch_transfer(batch, 0) for batch in unturned]
    assert len({key for batch in batches for key in batch.key}) == 12
    for batch in batches:
        assert torch.equal(batch.lq, 255 - batch.hq)
    assert any(not torch.equal(batch.hq, before.hq) for batch, before in zip(batches, unturned))


def test_pairs_validate(pairs, tmp_path):
    if pairs["lq"] == "lq":
        chosen = ImageFolder(pairs["train"], crop_size=16, lq="lq")
        assert chosen.names()[:2] == ["x/00", "x/01"]
    else:
        chosen = PairedFolders(pairs["lq"], pairs["train"], crop_size=16)
        assert chosen.names()[:2] == ["00", "01"]
    one = chosen[3]
    assert np.array_equal(one.lq, 255 - one.hq)
    assert one.hq.shape == (16, 16, 3)


def test_a_missing_partner_is_a_fault_or_an_error(tmp_path):
    members = {f"{i}.hq.png": encoded_image(i) for i in range(4)}
    path = write_tar(tmp_path / "x.tar", members)
    with pytest.raises(ValueError, match=r"no usable sample .*no image lq\.\* in the sample"):
        make_plan(path, lq="lq")
    path = write_tar(tmp_path / "y.tar", members | {"0.lq.png": encoded_image(9)})
    (delivery,) = deliveries(make_plan(path, lq="lq"), 1)
    assert delivery.batch.key == ["y/0"]
    with pytest.raises(ValueError, match="No folder"):
        make_plan(tmp_path, lq=str(tmp_path / "nothing"))
