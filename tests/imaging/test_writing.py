"""Files that are written hold what the input held, read back by other libraries where one can."""

import io
import tracemalloc

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from vosr.imaging.enlarging import enlarged_rows
from vosr.imaging.formats import FORMATS
from vosr.imaging.metadata import Metadata
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.reading import read_animation, read_photo
from vosr.imaging.writing import Encoding, write_animation, write_photo

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8))
SMALL = NOISE.resize((20, 15), Image.Resampling.BICUBIC)
COLOURS = np.asarray(SMALL.resize((80, 60), Image.Resampling.BICUBIC))
DEEP = RNG.integers(0, 65536, (60, 80, 3), dtype=np.uint16)
SIZE = (80, 60)


def strips(pixels, rows=7):
    return (pixels[top : top + rows] for top in range(0, len(pixels), rows))


def written(photo, pixels, path, **options):
    notes = write_photo(photo, strips(pixels), (pixels.shape[1], pixels.shape[0]), path, Encoding(**options))
    return notes


def small_photo(**kept):
    return Photo(np.asarray(SMALL), **kept)


def camera_exif():
    exif = Image.Exif()
    exif[0x010F], exif[0x0132], exif[0x011A], exif[0x011B] = "camera", "2026:01:02 03:04:05", 300.0, 300.0
    exif[0x8769] = {0x829A: (1, 250), 0x8827: 400, 0xA002: 20, 0xA003: 15, 0x927C: b"private"}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}
    return exif.tobytes()


@pytest.mark.parametrize("name", FORMATS)
def test_colours_survive_in_every_format(tmp_path, name):
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    assert written(small_photo(), COLOURS, path) == ()
    read = np.asarray(Image.open(path).convert("RGB"))
    error = np.abs(read.astype(int) - COLOURS).mean()
    assert error == 0 if name in ("png", "tiff", "bmp") else error < 3
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("rows", [1, 7, 64, 65, 60])
def test_16_bits_grey_and_alpha_in_strips_of_any_height(tmp_path, suffix, rows):
    for grey in (False, True):
        for alpha in (None, RNG.integers(1, 65536, (60, 80), dtype=np.uint16)):
            pixels = DEEP[..., :1].repeat(3, -1) if grey else DEEP
            photo = Photo(pixels, alpha, deep=True, grey=grey)
            path = tmp_path / f"a.{suffix}"
            write_photo(photo, strips(pixels, rows), SIZE, path)
            read = imagecodecs.png_decode(path.read_bytes()) if suffix == "png" else tifffile.imread(path)
            expected = [pixels[..., :1] if grey else pixels] + ([] if alpha is None else [alpha[..., None]])
            assert read.dtype == np.uint16
            assert np.array_equal(read.reshape(60, 80, -1), np.concatenate(expected, -1))
            again = read_photo(path)
            assert (again.grey, again.deep, again.alpha is None) == (grey, True, alpha is None)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("height", "rows"), [(150, 150), (150, 7), (128, 64), (130, 100), (1, 1)])
def test_tall_images(tmp_path, suffix, height, rows):
    """More rows than one strip of the file has, in 8 and 16 bits, by Pillow or tifffile."""
    for dtype in (np.uint8, np.uint16):
        pixels = RNG.integers(0, np.iinfo(dtype).max, (height, 9, 3), dtype=dtype, endpoint=True)
        path = tmp_path / f"a.{suffix}"
        write_photo(Photo(pixels, deep=dtype == np.uint16), strips(pixels, rows), (9, height), path)
        assert np.array_equal(read_photo(path).pixels, pixels)
        if dtype == np.uint8:
            assert np.array_equal(np.asarray(Image.open(path)), pixels)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif"])
def test_exif_and_profile_are_kept_and_the_size_is_true(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    profile = imagecodecs.cms_profile("srgb")
    path = tmp_path / f"a.{suffix}"
    written(small_photo(metadata=Metadata(camera_exif()), profile=profile), COLOURS, path)
    with Image.open(path) as read:
        exif = read.getexif()
        assert read.info["icc_profile"] == profile
        assert (exif[0x010F], exif[0x0132], exif[0x011A]) == ("camera", "2026:01:02 03:04:05", 300)
        photo = exif.get_ifd(0x8769)
        assert (photo[0x8827], photo[0xA002], photo[0xA003], photo[0x927C]) == (400, 80, 60, b"private")
        assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 14.0)


def test_exif_too_long_for_jpeg_loses_the_makers_notes_only(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "camera"
    exif[0x8769] = {0x8827: 400, 0x927C: b"x" * 70_000}
    written(small_photo(metadata=Metadata(exif.tobytes())), COLOURS, tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as read:
        assert read.getexif()[0x010F] == "camera"
        assert dict(read.getexif().get_ifd(0x8769)) == {0x8827: 400}


def test_exif_gains_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "camera"
    for suffix in ("png", "jpg", "tif"):
        written(small_photo(metadata=Metadata(exif.tobytes())), COLOURS, tmp_path / f"a.{suffix}")
        with Image.open(tmp_path / f"a.{suffix}") as read:
            assert read.getexif()[0x010F] == "camera"
            assert 0x8769 not in read.getexif()


def test_jpeg_in_jpeg_out_keeps_exif_through_a_whole_round(tmp_path):
    SMALL.save(tmp_path / "in.jpg", exif=camera_exif())
    written(read_photo(tmp_path / "in.jpg"), COLOURS, tmp_path / "out.tif")
    written(read_photo(tmp_path / "out.tif"), COLOURS, tmp_path / "back.jpg")
    with Image.open(tmp_path / "back.jpg") as read:
        assert read.getexif()[0x010F] == "camera"
        assert read.getexif().get_ifd(0x8825)[2] == (48.0, 8.0, 14.0)
        assert 258 not in read.getexif()


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
def test_grey_stays_grey(tmp_path, suffix):
    written(small_photo(grey=True), COLOURS, tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / f"a.{suffix}") as read:
        assert read.mode == "L"
        luma = np.asarray(Image.fromarray(COLOURS).convert("L")).astype(int)
        assert np.abs(np.asarray(read) - luma).mean() < (2 if suffix == "jpg" else 0.1)


def test_alpha_is_pillows_bicubic_and_opaque_stays_opaque(tmp_path):
    alpha = np.asarray(SMALL.convert("L"))
    written(small_photo(alpha=alpha), COLOURS, tmp_path / "a.png")
    read = np.asarray(Image.open(tmp_path / "a.png"))
    expected = np.asarray(Image.fromarray(alpha).resize(SIZE, Image.Resampling.BICUBIC))
    assert np.abs(read[..., 3].astype(int) - expected).max() <= 1
    assert np.array_equal(read[..., :3], COLOURS)
    written(small_photo(alpha=np.full((15, 20), 255, np.uint8)), COLOURS, tmp_path / "b.png")
    assert np.asarray(Image.open(tmp_path / "b.png"))[..., 3].min() == 255


@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3), (1, 5)])
def test_enlarging_in_strips_equals_enlarging_whole(shape):
    samples = RNG.random(shape).astype(np.float32)
    height, width = shape[0] * 4 - 1, shape[1] * 3
    whole = enlarged_rows(samples, width, height, 0, height)
    parts = [
        enlarged_rows(samples, width, height, top, min(top + 11, height)) for top in range(0, height, 11)
    ]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    plane = samples if samples.ndim == 2 else samples[..., 1]
    pillow = np.asarray(Image.fromarray(plane.copy()).resize((width, height), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(whole if samples.ndim == 2 else whole[..., 1], pillow, atol=1e-5)


def test_what_a_format_cannot_hold_is_told(tmp_path):
    half = np.full((15, 20), 32768, np.uint16)
    photo = Photo(
        np.asarray(SMALL).astype(np.uint16) * 257, half, deep=True, metadata=Metadata(camera_exif())
    )
    notes = written(photo, np.zeros((60, 80, 3), np.uint16), tmp_path / "a.bmp")
    assert [note.partition(" holds ")[2] for note in notes] == [
        "8 bits a sample: 16 rounded to 8",
        "no transparency: laid over white",
        "no EXIF",
    ]
    assert set(np.unique(np.asarray(Image.open(tmp_path / "a.bmp")))) == {127}


def test_16_bits_are_rounded_not_cut_where_a_format_holds_8(tmp_path):
    values = np.array([0, 128, 129, 257, 65406, 65407, 65535], np.uint16)
    pixels = np.broadcast_to(values[:, None], (7, 3)).reshape(1, 7, 3).copy()
    written(Photo(pixels, deep=True), pixels, tmp_path / "a.bmp")
    assert np.asarray(Image.open(tmp_path / "a.bmp"))[0, :, 0].tolist() == [0, 0, 1, 1, 254, 255, 255]


def test_animations_keep_their_timing(tmp_path):
    frames = [Photo(np.full((15, 20, 3), value, np.uint8)) for value in (0, 100, 200)]
    restored = [np.full((60, 80, 3), value, np.uint8) for value in (0, 100, 200)]
    for suffix in ("png", "webp"):
        write_animation(Animation(tuple(frames), (40, 50, 60), 0), restored, tmp_path / f"a.{suffix}")
        back = read_animation(tmp_path / f"a.{suffix}")
        assert [int(frame.pixels.mean().round()) for frame in back.frames] == [0, 100, 200]
        assert (back.durations, back.loops) == ((40, 50, 60), 0)
    with pytest.raises(ValueError, match="JPEG holds one image only"):
        write_animation(Animation(tuple(frames)), restored, tmp_path / "a.jpg")


def test_too_long_sides_are_refused_before_anything_is_restored(tmp_path):
    def never():
        raise AssertionError("restored in vain")
        yield

    with pytest.raises(ValueError, match="WEBP holds at most 16383 pixels a side"):
        write_photo(small_photo(), never(), (20_000, 15), tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_half_way_leaves_nothing(tmp_path):
    def broken():
        yield COLOURS[:20]
        raise OSError("disk full")

    for suffix in ("png", "tif", "jpg"):
        with pytest.raises(OSError, match="disk full"):
            write_photo(small_photo(), broken(), SIZE, tmp_path / f"a.{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_quality_is_heeded_and_checked(tmp_path):
    sizes = []
    for quality in (30, 95):
        written(small_photo(), COLOURS, tmp_path / "a.jpg", quality=quality)
        sizes.append((tmp_path / "a.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2
    with pytest.raises(ValueError, match=r"1\.\.100"):
        Encoding(quality=0).check()


def test_png_files_pass_libpng_and_are_not_larger_than_pillows(tmp_path):
    written(small_photo(), COLOURS, tmp_path / "a.png")
    encoded = (tmp_path / "a.png").read_bytes()
    assert np.array_equal(imagecodecs.png_decode(encoded), COLOURS)
    buffer = io.BytesIO()
    Image.fromarray(COLOURS).save(buffer, "PNG")
    assert len(encoded) < 1.05 * len(buffer.getvalue())


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_memory_is_that_of_a_strip(tmp_path, suffix):
    """36 MB of pixels pass through a fifth of that."""
    strip = np.broadcast_to(np.arange(1000, dtype=np.uint8)[:, None], (60, 1000, 3))
    tracemalloc.start()
    write_photo(small_photo(), (strip.copy() for _ in range(200)), (1000, 12_000), tmp_path / f"a.{suffix}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 7.2e6
