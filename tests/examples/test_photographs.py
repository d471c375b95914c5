"""The recipe of the training photographs: what is taken from a package, and which tiles are kept."""

import numpy as np
import pytest
from packages import PACKAGES, Package
from PIL import Image
from tiles import tiles


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)


def names(path, **given):
    return [name for name, _ in tiles(path, **({"side": 32, "most": 38.0, "over": None} | given))]


def test_tiles_are_disjoint_and_cover_both_sizes(tmp_path, noise):
    Image.fromarray(noise).save(tmp_path / "noise.png")
    cut = dict(tiles(tmp_path / "noise.png", 32, 38.0, None))
    whole = [name for name in cut if name.startswith("0-")]
    assert len(whole) == 3 * 5
    assert len(cut) - len(whole) == 1 * 2  # 48 x 80 px
    assert np.array_equal(cut["0-64-32"], noise[64:96, 32:64])
    half = np.asarray(Image.fromarray(noise).reduce(2))
    assert np.array_equal(cut["1-0-48"], half[:32, 48:80])


def test_smooth_and_transparent_tiles_are_left_out(tmp_path, noise):
    noise[:, :64] = 77  # flat
    alpha = np.full((96, 160, 1), 255, np.uint8)
    alpha[40, 140] = 0  # one transparent pixel, in one tile of each size
    Image.fromarray(np.concatenate([noise, alpha], axis=2)).save(tmp_path / "hole.png")
    assert names(tmp_path / "hole.png") == [
        f"0-{y}-{x}" for y in (0, 32, 64) for x in (64, 96, 128) if (y, x) != (32, 128)
    ]
    assert "0-32-128" in names(tmp_path / "hole.png", over=255)


def test_large_images_are_halved_until_they_are_not(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 4100, 3), dtype=np.uint8)).save(
        tmp_path / "wide.png"
    )
    assert len(names(tmp_path / "wide.png", side=16)) == 1025 // 16


def test_copies_of_other_sizes_and_test_images_are_left_out(tmp_path):
    package = Package("p", "photographs", "", ("*/images/*",))
    for name, size in {
        "a/images/640x480.jpg": 1, "a/images/1280x960.jpg": 2, "a/images/cat.jpg": 1,
        "a/images/baboon.jpg": 1, "a/other/dog.jpg": 1, "a/images/text.txt": 1,
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert [path.name for path in package.images(tmp_path)] == ["1280x960.jpg", "cat.jpg"]


def test_every_package_names_group_and_licence():
    assert {p.group for p in PACKAGES} == {"photographs", "textures", "drawings", "screenshots"}
    assert all(p.licence and p.files for p in PACKAGES)
    assert len({p.name for p in PACKAGES}) == len(PACKAGES)
