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
    def never(*arguments, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr("subprocess.Popen.__init__", never)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "a.png").write_bytes(eps)
    with pytest.raises(ValueError, match="EPS"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(ImageError):
        decode(eps)


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
