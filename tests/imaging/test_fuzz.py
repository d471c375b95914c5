"""Whatever bytes a file holds, it is read or refused in a sentence, soon; and what was read can be written."""

import io
import re
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import IPTC, XMP, chunk, grey_tiff, png
from PIL import Image, features

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError
from vosr.imaging.iptc import jpeg_segment
from vosr.imaging.reading import read_animation, read_photo
from vosr.imaging.writing import write_photo

SECONDS = 10
_KINDS = ("png", "jpeg", "tiff", "webp", "gif", "bmp", "made png", "made tiff", "plain tiff")
_VALUES = [b"\0", b"\xff", b"\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x01"]
_BOUNDED = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@cache
def whole(kind):
    """A valid file that says as much as its format can."""
    if kind == "made png":
        said = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP), chunk(b"pHYs", bytes(9))
        return png(*said, chunk(b"cICP", b"\x0c\x0d\0\1"), samples=np.full((6, 8, 3), 90))
    if kind == "made tiff":
        return grey_tiff(8, 6, bits=16, data=bytes(range(96)), following=8)
    image, buffer = Image.fromarray(np.arange(144, dtype=np.uint8).reshape(6, 8, 3)), io.BytesIO()
    exif = Image.Exif()
    exif[0x010F], exif[0x011A], exif[0x8769] = "camera", 72.0, {0x8827: 400}
    options = {"exif": exif.tobytes()} if kind in ("png", "jpeg", "webp") else {}
    if kind == "tiff":
        options["compression"] = "tiff_lzw"
    if kind == "gif":
        options |= {"save_all": True, "append_images": [image.rotate(180)], "duration": 40}
    image.save(buffer, kind.removeprefix("plain ").upper(), **options)
    content = buffer.getvalue()
    return content[:2] + jpeg_segment(IPTC) + content[2:] if kind == "jpeg" else content


def refusal(call, argument, kind):
    """Why a call refused; None where it did not."""
    try:
        call(argument)
    except kind as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind != "webp" or features.check("webp")])
@_BOUNDED
@given(st.data())
def test_damaged_files(tmp_path, kind, data):
    content = bytearray(whole(kind))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        value = data.draw(st.sampled_from(_VALUES) | st.binary(min_size=1, max_size=4))
        content[at : at + len(value)] = value
    content = content[: data.draw(st.integers(1, len(content)) | st.just(len(content)))]
    path = tmp_path / "a"
    path.write_bytes(content)
    start = time.monotonic()
    sentence = re.compile(rf"Cannot read {re.escape(str(path))}: .*[a-z]{{2,}}.*\.", re.DOTALL)
    for read in (read_photo, read_animation):
        message = refusal(read, path, ValueError)
        assert message is None or sentence.fullmatch(message)
    assert refusal(decode, bytes(content), ImageError) != ""
    assert time.monotonic() - start < SECONDS


@_BOUNDED
@given(st.data())
def test_what_was_read_can_be_written(tmp_path, data):
    """Damage to what stands beside the pixels reaches no file, and stops none."""
    content = bytearray(whole("jpeg"))
    end = content.index(b"\xff\xdb")  # the first table of the image itself
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(20, end - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "a.jpg").write_bytes(content)
    try:
        photo = read_photo(tmp_path / "a.jpg")
    except ValueError:
        return
    for suffix in ("png", "jpg", "tif", "webp", "bmp"):
        write_photo(photo, [photo.pixels], photo.size, tmp_path / f"b.{suffix}")
        with Image.open(tmp_path / f"b.{suffix}") as back:
            assert back.size == photo.size
            back.load()
