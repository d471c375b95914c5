"""Validation images: fixed, real, and in the same order everywhere."""

import numpy as np
import pytest
from PIL import Image
from shard_files import encoded_image

from data_pipelines import ImageFolder, PairedFolders, RealPhotographs
from data_pipelines.images import collate


def test_real_photographs_are_fixed_crops():
    photographs = RealPhotographs(crop_size=128)
    assert len(photographs) == len(set(photographs.names())) >= 8
    crops = [photographs[i] for i in range(len(photographs))]
    assert [crop.key for crop in crops] == photographs.names()
    assert all(crop.hq.shape == (128, 128, 3) and crop.lq is None for crop in crops)
    cat = next(crop for crop in crops if crop.key.startswith("chelsea"))
    assert np.array_equal(cat.hq[64, 64], source("chelsea.png")[86 + 64, 162 + 64])


def source(name):
    from data_pipelines.photographs import _folder

    return np.asarray(Image.open(_folder() / name).convert("RGB"))


def test_jpeg_photographs_are_halved():
    rocket = RealPhotographs(crop_size=100)
    crop = rocket[rocket.names().index("rocket@0.50,0.50")].hq
    full = source("rocket.jpg").astype(float)
    halved = full[:426, :640].reshape(213, 2, 320, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved[57:157, 110:210] - crop).max() <= 1


@pytest.mark.parametrize("size", [8, 301])
def test_impossible_crop_size(size):
    with pytest.raises(ValueError, match=f"16..300 pixels, not {size}"):
        RealPhotographs(size)


def save(path, side=40, number=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded_image(number, side))


def test_image_folder_reads_in_order_and_leaves_bad_ones_out(tmp_path, caplog):
    for i, name in enumerate(["b/x.png", "a.png", "c.png"]):
        save(tmp_path / name, number=i)
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    folder = ImageFolder(str(tmp_path), crop_size=24)
    assert folder.names() == ["a.png", "b/x.png", "c.png"]
    assert folder[1].hq.shape == (24, 24, 3)
    assert np.array_equal(folder[1].hq, np.asarray(Image.open(tmp_path / "b/x.png"))[8:32, 8:32])
    assert "broken.jpg" in caplog.text
    batch = collate([folder[0], folder[2]])
    assert batch.key == ["a.png", "c.png"]
    assert batch.hq.shape == (2, 3, 24, 24)
    assert np.array_equal(batch.hq[1].permute(1, 2, 0).numpy(), folder[2].hq)


def test_pairs_are_found_by_stem_and_brought_to_one_size(tmp_path, caplog):
    for i in range(3):
        save(tmp_path / "hq" / f"{i}.png", 40, i)
        save(tmp_path / "lq" / f"{i}.png", 10, 10 + i)
    save(tmp_path / "lq" / "alone.png")
    pairs = PairedFolders(str(tmp_path / "lq"), str(tmp_path / "hq"))
    assert pairs.names() == ["0", "1", "2"]
    assert "alone" in caplog.text
    low = Image.open(tmp_path / "lq" / "1.png").resize((40, 40), Image.Resampling.BICUBIC)
    assert np.array_equal(pairs[1].lq, np.asarray(low))
    batch = collate([pairs[0], pairs[1]])
    assert batch.lq.shape == batch.hq.shape == (2, 3, 40, 40)
    middle = PairedFolders(str(tmp_path / "lq"), str(tmp_path / "hq"), crop_size=20)[1]
    assert np.array_equal(middle.hq, pairs[1].hq[10:30, 10:30])
    assert np.array_equal(middle.lq, pairs[1].lq[10:30, 10:30])


def test_an_image_too_small_for_the_crop_is_left_out(tmp_path, caplog):
    save(tmp_path / "a.png", 40)
    save(tmp_path / "small.png", 8)
    assert ImageFolder(str(tmp_path), crop_size=80).names() == ["a.png"]
    assert "8x8 pixels for a crop of 80" in caplog.text


def test_two_files_of_one_name_are_no_pair(tmp_path):
    for name in ("lq/x.png", "hq/x.png", "hq/x.jpg"):
        save(tmp_path / name)
    with pytest.raises(ValueError, match="has the name, without type, of another file"):
        len(PairedFolders(str(tmp_path / "lq"), str(tmp_path / "hq")))


def test_wrong_folders_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="No data at"):
        len(ImageFolder(str(tmp_path / "nothing")))
    with pytest.raises(ValueError, match="holds neither tar shards nor images"):
        len(ImageFolder(str(tmp_path / "empty")))
    save(tmp_path / "a" / "x.png")
    save(tmp_path / "b" / "y.png")
    with pytest.raises(ValueError, match="has the name, without type, of one in"):
        len(PairedFolders(str(tmp_path / "a"), str(tmp_path / "b")))
