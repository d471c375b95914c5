"""A small file can claim anything: what it would take is counted before it is allocated, and loops end."""

import resource
import struct
import time

import numpy as np
import pytest
import tifffile
from image_files import grey_tiff
from PIL import Image

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason
from vosr.imaging import limits, tiff_reading
from vosr.imaging.limits import MOST_BYTES, Header
from vosr.imaging.reading import read_animation, read_header, read_photo


def with_thumbnail(folder, side):
    """A thumbnail of 4 x 4 before a page that claims ``side`` x ``side``."""
    thumbnail = grey_tiff(4, 4, data=bytes(16), tags={254: (4, [1])})
    large = grey_tiff(side, side, data=bytes(16))
    table = large[8:]
    # values of the second directory point into a file of its own: move them behind the first
    moved = bytearray(table)
    count = struct.unpack("<H", table[:2])[0]
    for i in range(count):
        tag, kind, number, _ = struct.unpack_from("<HHII", table, 2 + 12 * i)
        if tag == 273:
            struct.pack_into("<HHII", moved, 2 + 12 * i, tag, kind, number, len(thumbnail))
    place = 8 + 2 + 12 * struct.unpack("<H", thumbnail[8:10])[0]
    whole = bytearray(thumbnail + bytes(moved))
    struct.pack_into("<I", whole, place, len(thumbnail))
    (folder / "a.tif").write_bytes(whole)
    return folder / "a.tif"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (grey_tiff(4000, 4000, samples=250), "250 samples a pixel are more than 16"),
        (grey_tiff(12_000, 12_000, bits=64, samples=3, sample_format=3), "64 bits take 3.2 GiB"),
        (grey_tiff(24_000, 24_000), "24000x24000 pixels are more than 536870912"),
        (grey_tiff(0, 5), "damaged|claims"),
    ],
    ids=["samples", "float64", "pixels", "nothing"],
)
def test_what_a_head_claims_is_counted_before_it_is_allocated(tmp_path, content, reason):
    (tmp_path / "a.tif").write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=rf"Cannot read .*a\.tif: .*({reason})"):
        read_photo(tmp_path / "a.tif")
    with pytest.raises(ImageError):
        decode(content)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_the_page_that_is_read_is_the_one_that_counts(tmp_path):
    path = with_thumbnail(tmp_path, 40_000)
    with pytest.raises(ValueError, match="40000x40000 pixels are more than"):
        read_photo(path)
    assert read_header(path).width == 40_000
    with pytest.raises(ImageError) as error:
        decode(path.read_bytes())
    assert error.value.reason is Reason.TOO_LARGE


def test_directories_that_point_back_end(tmp_path):
    (tmp_path / "itself.tif").write_bytes(grey_tiff(4, 4, data=bytes(range(16)), following=8))
    start = time.monotonic()
    assert read_photo(tmp_path / "itself.tif").pixels[0, :, 0].tolist() == [0, 1, 2, 3]
    assert len(read_animation(tmp_path / "itself.tif").frames) == 1
    assert time.monotonic() - start < 5


def test_frames_count_together(tmp_path):
    frames = [Image.new("L", (8, 6), value) for value in (0, 90)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    header = read_header(tmp_path / "a.gif")
    assert (header.frames, header.nbytes) == (2, 48)
    with pytest.raises(ValueError, match=r"1000 images of 4000x4000 pixels .* take 44\.7 GiB, more than 3"):
        Header(4000, 4000).check(frames=1000)
    Header(4000, 4000).check(frames=MOST_BYTES // 48_000_000)
    pages = np.zeros((2, 6, 8, 3), np.float64)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="rgb")
    header = read_header(tmp_path / "a.tif")
    assert (header.frames, header.samples, header.itemsize) == (2, 3, 8)


@pytest.mark.parametrize("suffix", ["gif", "tif"])
def test_thousands_of_images_in_a_few_bytes_each_are_refused(tmp_path, monkeypatch, suffix):
    """Each takes a restoring of its own: a GIF of 3 MB could keep a machine for a day."""
    for module in (limits, tiff_reading):
        monkeypatch.setattr(module, "MOST_IMAGES", 2)
    frames = [Image.new("L", (8, 6), value) for value in (0, 90, 180, 250)]
    for count in (2, 3, 4):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:count])
        if count == 2:
            assert len(read_animation(tmp_path / f"a.{suffix}").frames) == 2
            continue
        with pytest.raises(ValueError, match="it holds more than 2 images"):
            read_animation(tmp_path / f"a.{suffix}")
        assert read_photo(tmp_path / f"a.{suffix}").size == (8, 6)


def test_a_page_that_is_too_large_is_named_in_all_pages_too(tmp_path):
    path = with_thumbnail(tmp_path, 40_000)
    with pytest.raises(ValueError, match="40000x40000 pixels are more than"):
        read_animation(path)
