"""Samples of every kind are read as what they stand for, or refused by name; training and restoring agree."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import RAMP, chunk, grey_tiff, png, tiff
from PIL import Image

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason
from vosr.imaging.reading import read_photo
from vosr.imaging.writing import write_photo

RNG = np.random.default_rng(0)


def both(path):
    """A photo, and its pixels for training, which are the same in 8 bits."""
    photo = read_photo(path)
    eight = photo.pixels if photo.pixels.dtype == np.uint8 else np.round(photo.pixels / 257)
    if photo.alpha is None:
        assert np.abs(decode(path.read_bytes()).astype(int) - eight).max() <= 1
    return photo


@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bits(tmp_path, order):
    values = np.array([0, 1 << 8, 0x7FFFFF, 0xFFFFFF])
    raw = b"".join(int(v).to_bytes(3, "little" if order == "<" else "big") for v in values)
    (tmp_path / "a.tif").write_bytes(grey_tiff(4, 1, bits=24, data=raw, order=order))
    assert both(tmp_path / "a.tif").pixels[0, :, 0].tolist() == [0, 1, 32767, 65535]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([-128, 0, 127], np.int8, [0, 128, 255]),
        ([0, 64, 127], np.int8, [0, 129, 255]),
        ([-32768, 0, 32767], np.int16, [0, 32768, 65535]),
        ([0, 514, 65021], np.int32, [0, 514, 65021]),
        ([-(2**31), 0, 2**31 - 1], np.int32, [0, 32768, 65535]),
        ([0, 2**31, 2**32 - 1], np.uint32, [0, 32768, 65535]),
    ],
)
def test_signed_and_32_bit_samples(tmp_path, values, dtype, expected):
    tifffile.imwrite(tmp_path / "a.tif", np.array([values], dtype), photometric="minisblack")
    photo = both(tmp_path / "a.tif")
    assert photo.pixels[0, :, 0].tolist() == expected
    assert any("signed samples" in note for note in photo.notes) == (dtype != np.uint32)


def test_floating_point_beyond_its_range_is_refused_and_strays_are_told(tmp_path):
    values = np.linspace(0, 255, 400, dtype=np.float32).reshape(20, 20)
    tifffile.imwrite(tmp_path / "a.tif", values)
    with pytest.raises(ValueError, match=r"samples reach from 0 to 255; only \[0, 1\]"):
        read_photo(tmp_path / "a.tif")
    with pytest.raises(ImageError) as error:
        decode((tmp_path / "a.tif").read_bytes())
    assert error.value.reason is Reason.UNSUPPORTED
    values /= 255
    values[0, :3] = 1.02, np.nan, np.inf
    tifffile.imwrite(tmp_path / "a.tif", values)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.pixels[0, :3, 0].tolist() == [65535, 0, 65535]
    assert "1 samples beyond [0, 1] clipped" in photo.notes
    assert any("NaN" in note for note in photo.notes)


def test_12_bit_grey(tmp_path):
    values = np.array([[0, 2048, 4095, 1]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, bitspersample=12, photometric="minisblack")
    assert both(tmp_path / "a.tif").pixels[0, :, 0].tolist() == [0, 32776, 65535, 16]


def test_transparent_colours_of_16_bits(tmp_path):
    deep = np.array([[0, 1000, 65535]], np.uint16)
    (tmp_path / "a.png").write_bytes(png(chunk(b"tRNS", struct.pack(">H", 1000)), samples=deep, depth=16))
    photo = read_photo(tmp_path / "a.png")
    assert photo.alpha.tolist() == [[65535, 0, 65535]]
    assert decode((tmp_path / "a.png").read_bytes())[0, :, 0].tolist() == [0, 255, 255]


def test_alpha_of_tiffs_that_declare_it_badly(tmp_path):
    colours = RNG.integers(0, 256, (4, 5, 4), dtype=np.uint8)
    tags = {262: (3, [2])}
    (tmp_path / "a.tif").write_bytes(grey_tiff(5, 4, samples=4, data=colours.tobytes(), tags=tags))
    photo = read_photo(tmp_path / "a.tif")
    assert np.array_equal(photo.alpha, colours[..., 3])
    assert "a last sample of no stated kind taken as opacity" in photo.notes
    masked = {**tags, 338: (3, [0])}  # a channel of an editor
    (tmp_path / "b.tif").write_bytes(grey_tiff(5, 4, samples=4, data=colours.tobytes(), tags=masked))
    photo = read_photo(tmp_path / "b.tif")
    assert photo.alpha is None
    assert np.array_equal(photo.pixels, colours[..., :3])
    assert "1 further channels that are no opacity left out" in photo.notes


def test_a_palette_with_alpha(tmp_path):
    pairs = np.array([[[0, 255], [1, 128], [2, 0]]], np.uint8)
    table = np.zeros((3, 256), int)
    table[:, 1], table[0, 2] = 257 * 200, 257 * 90
    tags = {262: (3, [3]), 320: (3, table.ravel().tolist()), 338: (3, [2])}
    (tmp_path / "a.tif").write_bytes(grey_tiff(3, 1, samples=2, data=pairs.tobytes(), tags=tags))
    photo = read_photo(tmp_path / "a.tif")
    assert photo.alpha.tolist() == [[255, 128, 0]]
    assert photo.pixels[0, :2].tolist() == [[0, 0, 0], [200, 200, 200]]


@pytest.mark.parametrize("compression", ["jpeg", "group4", "tiff_lzw", None])
def test_truncated_tiffs_are_not_taken_as_whole(tmp_path, compression):
    """Cut so that the directory, which comes first, still promises everything."""
    image = Image.fromarray(RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    image = image.convert("1") if compression == "group4" else image
    image.save(tmp_path / "whole.tif", compression=compression)
    with tifffile.TiffFile(tmp_path / "whole.tif") as file:
        page = file.pages.first
        data = b"".join(
            (tmp_path / "whole.tif").read_bytes()[at : at + length]
            for at, length in zip(page.dataoffsets, page.databytecounts)
        )
        tags = {code: (3, [page.tags[code].value]) for code in (258, 259, 262, 277) if code in page.tags}
        tables = page.jpegtables
    tags |= {256: (4, [64]), 257: (4, [64]), 278: (4, [64]), 273: (4, ["data"]), 279: (4, [len(data)])}
    if tables:
        tags[347] = (7, list(tables))
    if compression != "jpeg":
        (tmp_path / "a.tif").write_bytes(tiff(tags)[: 10 + 12 * len(tags) + 4] + data[: len(data) // 2])
        with pytest.raises(ValueError, match=r"a\.tif: (it is truncated|its data is damaged)"):
            read_photo(tmp_path / "a.tif")
        return
    tags[279] = (4, [len(data) // 2])
    (tmp_path / "a.tif").write_bytes(tiff(tags, data))
    with pytest.raises(ValueError, match="a JPEG within it has no end"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_black_and_white_stored_as_rgb_comes_back_without_colour(tmp_path, suffix):
    Image.fromarray(RAMP).convert("RGB").save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert (photo.grey, photo.neutral) == (False, True)
    tinted = np.clip(photo.pixels + np.array([9, 0, -9]), 0, 255).astype(np.uint8)
    write_photo(photo, [tinted], photo.size, tmp_path / f"b.{suffix}")
    with Image.open(tmp_path / f"b.{suffix}") as back:
        restored = np.asarray(back.convert("RGB")).astype(int)
    assert back.mode == "RGB"
    assert np.ptp(restored, axis=-1).max() <= (1 if suffix == "webp" else 0)


def test_a_profile_does_not_bring_colour_into_black_and_white(tmp_path):
    Image.fromarray(RAMP).convert("RGB").save(
        tmp_path / "a.png", icc_profile=imagecodecs.cms_profile("adobergb")
    )
    photo = read_photo(tmp_path / "a.png")
    assert photo.neutral
    assert photo.converted
    write_photo(photo, [photo.pixels + np.array([0, 300, 0], np.uint16)], photo.size, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as back:
        assert not np.ptp(np.asarray(back), axis=-1).any()
