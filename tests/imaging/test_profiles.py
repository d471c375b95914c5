"""Colour profiles: to sRGB and back without a trace, wide gamuts included; transparency that does not bleed."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from vosr.imaging.photo import Photo
from vosr.imaging.profiles import SRGB, is_srgb, space_of
from vosr.imaging.reading import read_photo
from vosr.imaging.transparency import fill_hidden
from vosr.imaging.writing import Encoding, write_photo

ADOBE = imagecodecs.cms_profile("adobergb")
GREY = imagecodecs.cms_profile("gray", gamma=1.8)
RNG = np.random.default_rng(0)


def unchanged(path, target, **options):
    """Read and written without enlarging, as by a model that changes nothing."""
    photo = read_photo(path)
    write_photo(photo, [photo.pixels], photo.size, target, Encoding(**options))
    return photo


def test_what_profiles_are_for():
    assert [space_of(p) for p in (ADOBE, GREY, SRGB, b"junk", ADOBE[:200])] == [
        "rgb",
        "gray",
        "rgb",
        None,
        None,
    ]
    assert [is_srgb(p) for p in (SRGB, ADOBE)] == [True, False]


def test_colours_become_srgb_for_the_model(tmp_path):
    Image.new("RGB", (4, 4), (120, 90, 60)).save(tmp_path / "a.png", icc_profile=ADOBE)
    seen = read_photo(tmp_path / "a.png").pixels[0, 0] / 65535
    linear = np.array([120, 90, 60]) / 255
    linear = linear ** (563 / 256)  # Adobe RGB (1998), section 4.3.4
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    from_xyz = np.linalg.inv([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    expected = from_xyz @ to_xyz @ linear
    expected = 1.055 * expected ** (1 / 2.4) - 0.055
    np.testing.assert_allclose(seen, expected, atol=0.003)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_wide_gamut_comes_back_as_it_was(tmp_path, suffix):
    """Random Adobe RGB colours, a good part of them beyond sRGB: at most one level of 255 is lost."""
    pixels = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", icc_profile=ADOBE)
    photo = unchanged(tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}")
    assert photo.beyond is not None
    with Image.open(tmp_path / f"b.{suffix}") as back:
        assert back.info["icc_profile"] == ADOBE
        assert np.abs(np.asarray(back).astype(int) - pixels).max() <= 1


def test_output_in_srgb_by_option(tmp_path):
    Image.new("RGB", (4, 4), (120, 90, 60)).save(tmp_path / "a.png", icc_profile=ADOBE)
    photo = unchanged(tmp_path / "a.png", tmp_path / "b.png", profile="srgb")
    with Image.open(tmp_path / "b.png") as back:
        assert back.info["icc_profile"] == SRGB
        assert np.abs(np.asarray(back) - photo.pixels / 257).max() <= 0.5


def test_formats_without_profiles_get_srgb(tmp_path):
    Image.new("RGB", (4, 4), (120, 90, 60)).save(tmp_path / "a.png", icc_profile=ADOBE)
    photo = unchanged(tmp_path / "a.png", tmp_path / "b.bmp")
    assert np.abs(np.asarray(Image.open(tmp_path / "b.bmp")) - photo.pixels / 257).max() <= 0.5


def test_grey_profiles(tmp_path):
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(values).save(tmp_path / "a.png", icc_profile=GREY)
    photo = unchanged(tmp_path / "a.png", tmp_path / "b.png")
    assert photo.grey
    assert np.abs(photo.pixels.astype(int) - values[..., None].astype(int) * 257).max() > 2000
    with Image.open(tmp_path / "b.png") as back:
        assert back.mode == "L"
        assert back.info["icc_profile"] == GREY
        assert np.abs(np.asarray(back).astype(int) - values).max() <= 1


def test_a_profile_that_does_not_fit_is_left_out_and_told(tmp_path):
    Image.new("L", (4, 4), 90).save(tmp_path / "a.png", icc_profile=ADOBE)
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "b.png", icc_profile=b"damaged" * 40)
    for name in ("a.png", "b.png"):
        photo = read_photo(tmp_path / name)
        assert photo.profile is None
        assert any("colour profile left out" in note for note in photo.notes)


def test_hidden_colours_do_not_bleed_into_the_edge():
    """A grey disc over hidden black: below the transparent part lies the disc's grey, near and far."""
    y, x = np.mgrid[:64, :64]
    alpha = np.where((x - 30) ** 2 + (y - 30) ** 2 < 200, 255, 0).astype(np.uint8)
    colours = np.where(alpha[..., None] > 0, 180, 0).repeat(3, -1).astype(np.uint8)
    filled = fill_hidden(colours, alpha)
    assert filled.min() == filled.max() == 180
    whole = np.full_like(alpha, 255)
    assert fill_hidden(colours, whole) is colours
    assert fill_hidden(colours, 0 * alpha) is colours


def test_each_side_of_a_gap_gets_its_own_colour():
    colours = np.zeros((16, 64, 3), np.uint8)
    colours[:, :16], colours[:, 48:] = (200, 0, 0), (0, 0, 200)
    alpha = np.zeros((16, 64), np.uint8)
    alpha[:, :16], alpha[:, 48:] = 255, 255
    filled = fill_hidden(colours, alpha)
    assert filled[8, 17].tolist() == [200, 0, 0]
    assert filled[8, 46].tolist() == [0, 0, 200]
    assert np.array_equal(filled[alpha > 0], colours[alpha > 0])


def test_photo_size():
    assert Photo(np.zeros((3, 5, 3), np.uint8)).size == (5, 3)
