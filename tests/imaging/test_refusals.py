"""A refusal names the file and the cause: what it is, or what is wrong with it."""

import io
import os

import numpy as np
import pytest
from image_files import grey_tiff
from PIL import Image, features

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason
from vosr.imaging.formats import SUFFIXES
from vosr.imaging.reading import read_photo, reason_of


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS or PostScript"),
        (b"8BPS\0\1", "PSD"),
        (b"\xff\x0a\xfa", "JPEG XL"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypcrx ", "CR3"),
        (b"\0\0\0\x18ftypisom", "a film"),
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns", "SVG"),
        (b"v/1\x01", "OpenEXR"),
        (b"II*\0\x10\0\0\0CR\x02\0", "camera raw"),
        (grey_tiff(4, 4, data=bytes(16), tags={254: (4, [1]), 330: (4, [8])}), "camera raw"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
    ],
)
def test_a_known_format_that_is_not_read_is_named(tmp_path, head, name):
    (tmp_path / "a.png").write_bytes(head + bytes(64))
    with pytest.raises(ValueError, match=rf"Cannot read .*a\.png: it is .*{name}.* not supported\.|Git LFS"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(ImageError) as error:
        decode(head + bytes(64))
    assert error.value.reason is Reason.UNSUPPORTED


def test_an_eps_named_png_starts_no_program(tmp_path, monkeypatch):
    """What a decoder raises becomes a refusal, so the start itself is noted."""
    started = []
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *arguments, **options: started.append(arguments))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(eps)
    with pytest.raises(ValueError, match="EPS"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(ImageError):
        decode(eps)
    assert started == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("0"), "damaged or of a kind that is not supported (ValueError: 0)"),
        (IndexError("tuple index out of range"), "(IndexError: tuple index out of range)"),
        (KeyError("MPO"), "(KeyError: 'MPO')"),
        (AssertionError(), "(AssertionError)"),
        (OSError("image file is truncated."), "image file is truncated"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_exceptions_become_reasons(error, words):
    assert words in reason_of(error)
    assert not reason_of(error).endswith(".")


@pytest.mark.parametrize("values", [(), (4, 5)])
@pytest.mark.parametrize("tag", [256, 257, 259, 262, 277, 278])
def test_a_tiff_of_two_widths_or_none_is_damaged(tmp_path, tag, values):
    """Fields that must be one number; tifffile computes with whatever stands there."""
    content = grey_tiff(4, 4, data=bytes(16), tags={tag: (4, list(values))})
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.tif: its directory is damaged: .* (one number|its kind)\.$"):
        read_photo(tmp_path / "a.tif")
    with pytest.raises(ImageError) as error:
        decode(content)
    assert error.value.reason is Reason.DAMAGED


@pytest.mark.parametrize("tag", [258, 278])
def test_samples_without_bits_and_strips_without_rows_are_damage(tmp_path, tag):
    (tmp_path / "a.tif").write_bytes(grey_tiff(4, 4, data=bytes(16), tags={tag: (4, [0])}))
    with pytest.raises(ValueError, match="its directory is damaged: strips without rows, or samples without"):
        read_photo(tmp_path / "a.tif")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_a_damaged_avif_is_not_called_unsupported(tmp_path):
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftypavif" + bytes(64))
    with pytest.raises(ValueError, match="its head is damaged"):
        read_photo(tmp_path / "a.avif")


def test_pipes_and_devices_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"Cannot read .*a\.png: .*named pipe"):
        read_photo(tmp_path / "a.png")


def test_folders_are_searched_for_all_that_is_read():
    assert {".mpo", ".jfif", ".gif", ".jpe", ".dib"} <= set(SUFFIXES)


@pytest.mark.skipif(not features.check("jpg_2000"), reason="this Pillow was built without JPEG 2000")
def test_training_reads_what_shards_may_hold():
    for kind in ("JPEG2000", "PPM", "GIF"):
        buffer = io.BytesIO()
        Image.new("RGB", (40, 40), (90, 90, 90)).save(buffer, kind)
        assert np.abs(decode(buffer.getvalue()).astype(int) - 90).max() <= 2
