"""Any image comes out as 8-bit sRGB, upright, cropped where the crop says."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from data_pipelines.crop import Augmentation, Crop, working_scale
from data_pipelines.decode import decode, decode_crop
from data_pipelines.failures import ImageError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
SMOOTH = np.asarray(Image.fromarray(NOISE[:5, :8]).resize((64, 48), Image.Resampling.BICUBIC))


def encode(image, kind, **more):
    buffer = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(buffer, kind, **more)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_come_out_as_they_are(kind):
    assert np.array_equal(decode(encode(NOISE, kind)), NOISE)


def test_lossless_webp():
    assert np.array_equal(decode(encode(NOISE, "WEBP", lossless=True)), NOISE)


@pytest.mark.parametrize("more", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}])
def test_fast_jpeg_is_what_pillow_gives(more):
    encoded = encode(SMOOTH, "JPEG", **more)
    expected = np.asarray(Image.open(io.BytesIO(encoded)))
    assert np.array_equal(decode_crop(encoded, Crop(0, 0), 48), expected[:48, :48])


def test_grey_becomes_three_equal_channels():
    grey = NOISE[..., 0]
    for kind in ("PNG", "JPEG"):
        out = decode(encode(grey, kind, **({"quality": 100} if kind == "JPEG" else {})))
        assert out.shape == (40, 60, 3)
        assert (out[..., 0] == out[..., 1]).all()
        assert (out[..., 0] == out[..., 2]).all()
    assert np.array_equal(decode(encode(grey, "PNG"))[..., 0], grey)


def test_sixteen_bits_are_scaled():
    values = np.array([[0, 257 * 17, 65535, 32768]] * 4, np.uint16)
    assert decode(encode(values, "PNG"))[0, :, 0].tolist() == [0, 17, 255, 128]
    assert decode(encode(values, "TIFF"))[0, :, 0].tolist() == [0, 17, 255, 128]


def test_dark_sixteen_bits_stay_dark():
    assert decode(encode(np.full((4, 4), 200, np.uint16), "PNG")).max() == 1


def test_floating_point_of_unit_range():
    values = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    assert decode(encode(values, "TIFF"))[..., 0].ravel().tolist() == [round(17 * i) for i in range(16)]


def test_palette_and_transparency_are_laid_over_white():
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.putpixel((1, 0), 1)
    assert decode(encode(palette, "PNG"))[0, :2].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert decode(encode(palette, "PNG", transparency=1))[0, :2].tolist() == [[10, 20, 30], [255, 255, 255]]
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0] = [255, 0, 0, 255]
    rgba[0, 1] = [255, 0, 0, 0]
    assert decode(encode(rgba, "PNG"))[0, :2].tolist() == [[255, 0, 0], [255, 255, 255]]


def test_one_bit():
    image = Image.new("1", (8, 8), 1)
    image.putpixel((0, 0), 0)
    assert decode(encode(image, "PNG"))[0, :2, 0].tolist() == [0, 255]


def test_cmyk_jpeg():
    encoded = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)
    assert np.abs(decode(encoded).astype(int) - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    image = Image.fromarray(NOISE)
    exif = image.getexif()
    exif[0x0112] = orientation
    encoded = encode(image, "PNG", exif=exif)
    turned = {
        1: NOISE, 2: NOISE[:, ::-1], 3: NOISE[::-1, ::-1], 4: NOISE[::-1], 5: NOISE.transpose(1, 0, 2),
        6: np.rot90(NOISE, 3), 7: NOISE[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(NOISE),
    }[orientation]  # fmt: skip
    assert np.array_equal(decode(encoded), turned)
    assert np.array_equal(decode_crop(encoded, Crop(1, 1), 20), turned[-20:, -20:])


def test_embedded_profile_is_applied():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))  # does not fit RGB: to be ignored
    plain = encode(SMOOTH, "PNG", icc_profile=profile.tobytes())
    assert np.array_equal(decode(plain), SMOOTH)
    swapped = encode(SMOOTH, "PNG", icc_profile=linear_profile())
    out = decode(swapped)
    assert out.mean() > SMOOTH.mean() + 20  # linear light read as sRGB would be too dark
    assert np.array_equal(decode_crop(swapped, Crop(0, 0), 30), out[:30, :30])


def linear_profile() -> bytes:
    """An sRGB profile whose three tone curves are made linear."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(raw[128:132], "big")
    for i in range(count):
        entry = 132 + 12 * i
        if raw[entry : entry + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            offset = int.from_bytes(raw[entry + 4 : entry + 8], "big")
            raw[offset : offset + 12] = b"curv" + bytes(8)  # no points: the identity
            raw[entry + 8 : entry + 12] = (12).to_bytes(4, "big")
        if raw[entry : entry + 4] == b"desc":
            offset, size = (int.from_bytes(raw[entry + o : entry + o + 4], "big") for o in (4, 8))
            content = bytes(raw[offset : offset + size])
            raw[offset : offset + size] = content.replace(b"s\0R\0G\0B", b"L\0i\0n\0e").replace(
                b"sRGB", b"Line"
            )
    return bytes(raw)


def test_small_image_is_enlarged_by_the_reference_rule():
    out = decode_crop(encode(SMOOTH[:16, :24], "PNG"), Crop(0, 0), 32)
    expected = np.asarray(Image.fromarray(SMOOTH[:16, :24]).resize((48, 32), Image.Resampling.BICUBIC))
    assert np.abs(out.astype(int) - expected[:32, :32]).max() <= 1


def test_large_image_is_reduced_where_asked():
    big = np.asarray(Image.fromarray(NOISE[:8, :8]).resize((512, 512), Image.Resampling.BICUBIC))
    expected = np.asarray(Image.fromarray(big).resize((64, 64), Image.Resampling.BOX))
    for kind in ("PNG", "JPEG"):
        out = decode_crop(encode(big, kind), Crop(0.5, 0.5), 64, shrink_to=64)
        assert np.abs(out.astype(int) - expected).mean() < 3
    untouched = decode_crop(encode(big, "PNG"), Crop(0, 0), 64)
    assert np.array_equal(untouched, big[:64, :64])


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 512), st.none() | st.integers(1, 2000))
def test_working_scale_always_leaves_room_for_the_crop(width, height, size, shrink_to):
    scale = working_scale(width, height, size, shrink_to)
    assert min(width, height) * scale >= size - 1e-6
    assert scale >= 1 or min(width, height) * scale == pytest.approx(max(shrink_to, size))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 90), st.integers(0, 200), st.integers(0, 200))
def test_crops_lie_inside(x, y, size, more_width, more_height):
    left, top = Crop(x, y).corner(size + more_width, size + more_height, size)
    assert 0 <= left <= more_width
    assert 0 <= top <= more_height


def test_options_switch_mirroring_and_turning_off():
    uniform = np.random.default_rng(0).random((400, 4)).tolist()
    draws = [Crop.drawn(numbers, Augmentation(flips=False, rotations=False)) for numbers in uniform]
    assert not any(crop.mirror or crop.quarter_turns for crop in draws)
    free = [Crop.drawn(numbers, Augmentation()) for numbers in uniform]
    turns = np.bincount([4 * crop.mirror + crop.quarter_turns for crop in free])
    assert len(turns) == 8
    assert turns.min() > 25  # of 50 expected
    assert [(c.x, c.y) for c in draws] == [(c.x, c.y) for c in free]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_damage_is_always_an_image_error(kind):
    """Random damage either goes unnoticed by the format or is reported; nothing else is ever raised."""
    rng = np.random.default_rng(1)
    whole = encode(NOISE, kind)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), rng.integers(1, 30)):
            damaged[place] = rng.integers(256)
        try:
            out = decode_crop(bytes(damaged[: rng.integers(1, len(damaged) + 1)]), Crop(), 16)
        except ImageError:
            continue
        assert out.shape == (16, 16, 3)
