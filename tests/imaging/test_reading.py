"""What files hold, in every format and mode that photographers bring, arrives as the model needs it."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, features

from vosr.imaging.reading import read_animation, read_header, read_photo

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (14, 20, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (14, 20, 3), dtype=np.uint16)


def save(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "avif"])
def test_formats(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    smooth = Image.fromarray(COLOURS).resize((5, 4)).resize((80, 56), Image.Resampling.BICUBIC)
    photo = read_photo(save(path, smooth, **options))
    header = read_header(path)
    assert photo.size == (header.width, header.height) == (80, 56)
    assert (photo.pixels.dtype, photo.alpha, photo.grey, photo.deep, photo.notes) == (
        np.uint8,
        None,
        False,
        False,
        (),
    )
    error = np.abs(photo.pixels.astype(int) - np.asarray(smooth)).mean()
    assert error == 0 if suffix in ("png", "webp", "tif", "bmp") else error < 6


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_reset(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "camera"
    stored = Image.new("L", (24, 16))
    stored.paste(255, (0, 0, 8, 8))  # bright corner, top left as stored
    photo = read_photo(save(tmp_path / f"a.{suffix}", stored, exif=exif))
    assert photo.size == ((24, 16) if orientation < 5 else (16, 24))
    corners = photo.pixels[[2, 2, -3, -3], [2, -3, 2, -3], 0] > 128
    bright = {1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 1, 7: 3, 8: 2}[orientation]
    assert corners.nonzero()[0].tolist() == [bright]
    kept = Image.Exif()
    kept.load(photo.metadata.exif)
    assert dict(kept) == {0x010F: "camera"}


def test_orientation_of_16_bit_files(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    photo = read_photo(tmp_path / "a.tif")
    assert np.array_equal(photo.pixels, np.rot90(DEEP, -1))


@pytest.mark.parametrize(
    ("mode", "grey", "alpha", "note"),
    [
        ("1", True, False, None),
        ("L", True, False, None),
        ("LA", True, True, None),
        ("RGB", False, False, None),
        ("RGBA", False, True, None),
        ("P", False, False, "palette"),
        ("CMYK", False, False, "CMYK"),
    ],
)
def test_modes(tmp_path, mode, grey, alpha, note):
    image = Image.fromarray(COLOURS).convert(mode)
    photo = read_photo(save(tmp_path / ("a.tif" if mode == "CMYK" else "a.png"), image))
    assert (photo.grey, photo.alpha is not None) == (grey, alpha)
    assert np.abs(photo.pixels.astype(int) - np.asarray(image.convert("RGB"))).max() <= (mode == "CMYK")
    assert len(photo.notes) == (note is not None)
    assert note is None or note in photo.notes[0]


def test_a_palette_of_greys_is_grey_and_one_with_transparency_has_alpha(tmp_path):
    grey = Image.fromarray(COLOURS).convert("L").quantize(16)
    assert read_photo(save(tmp_path / "grey.png", grey)).grey
    colours = Image.fromarray(COLOURS).quantize(16)
    photo = read_photo(save(tmp_path / "clear.png", colours, transparency=3))
    assert np.array_equal(photo.alpha == 0, np.asarray(colours) == 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png(tmp_path, channels):
    samples = RNG.integers(1, 65536, (14, 20, channels), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(samples[..., 0] if channels == 1 else samples))
    photo = read_photo(tmp_path / "a.png")
    assert photo.deep
    assert photo.grey == (channels < 3)
    assert np.array_equal(photo.pixels, samples[..., :1].repeat(3, -1) if channels < 3 else samples[..., :3])
    assert photo.alpha is None if channels % 2 else np.array_equal(photo.alpha, samples[..., -1])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw", "predictor": True},
        {"compression": "adobe_deflate", "tile": (16, 16)},
        {"planarconfig": "separate"},
        {"byteorder": ">"},
    ],
    ids=["plain", "lzw", "tiled", "planar", "big endian"],
)
def test_16_bit_tiff(tmp_path, options):
    planar = options.get("planarconfig") == "separate"
    samples = np.moveaxis(DEEP, -1, 0) if planar else DEEP
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", **options)
    photo = read_photo(tmp_path / "a.tif")
    assert photo.deep
    assert np.array_equal(photo.pixels, DEEP)


def test_other_deep_tiffs(tmp_path):
    grey = DEEP[..., 0]
    tifffile.imwrite(tmp_path / "inverted.tif", 65535 - grey, photometric="miniswhite")
    assert np.array_equal(read_photo(tmp_path / "inverted.tif").pixels, grey[..., None].repeat(3, -1))
    tifffile.imwrite(tmp_path / "float.tif", (DEEP / 65535).astype(np.float32), photometric="rgb")
    assert np.array_equal(read_photo(tmp_path / "float.tif").pixels, DEEP)
    alpha = np.full((14, 20, 1), 32768, np.uint16)
    premultiplied = np.concatenate([DEEP // 4, alpha], -1)
    tifffile.imwrite(tmp_path / "alpha.tif", premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    photo = read_photo(tmp_path / "alpha.tif")
    assert np.array_equal(photo.alpha, alpha[..., 0])
    assert np.abs(photo.pixels - DEEP // 4 * (65535 / 32768)).max() <= 0.5
    cmyk = RNG.integers(0, 65536, (14, 20, 4), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "cmyk.tif", cmyk, photometric="separated")
    photo = read_photo(tmp_path / "cmyk.tif")
    assert photo.deep
    assert photo.notes == ("CMYK converted to sRGB",)
    expected = (65535 - cmyk[..., :3].astype(float)) * (65535 - cmyk[..., 3:]) / 65535
    assert np.abs(photo.pixels - expected).max() <= 0.51
    tifffile.imwrite(tmp_path / "bits.tif", grey > 30000, photometric="minisblack")
    photo = read_photo(tmp_path / "bits.tif")
    assert np.array_equal(photo.pixels[..., 0], np.where(grey > 30000, 255, 0))


def test_8_bit_tiffs_of_all_kinds(tmp_path):
    image = Image.fromarray(COLOURS)
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        photo = read_photo(save(tmp_path / "a.tif", image, compression=compression))
        assert np.array_equal(photo.pixels, np.asarray(Image.open(tmp_path / "a.tif").convert("RGB"))), (
            compression
        )
    palette = image.quantize(16)
    photo = read_photo(save(tmp_path / "palette.tif", palette))
    assert np.array_equal(photo.pixels, np.asarray(palette.convert("RGB")))
    assert photo.notes == ("palette converted to full colour",)
    lab = read_photo(save(tmp_path / "lab.tif", Image.new("LAB", (4, 4), (128, 128, 128))))
    assert lab.notes == ("LAB converted to sRGB",)
    pages = [Image.new("L", (8, 6), value) for value in (10, 20)]
    photo = read_photo(save(tmp_path / "pages.tif", pages[0], save_all=True, append_images=pages[1:]))
    assert photo.notes == ("first of 2 images in the file",)
    assert [int(frame.pixels[0, 0, 0]) for frame in read_animation(tmp_path / "pages.tif").frames] == [10, 20]


def test_several_images_in_a_file(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    options = {"save_all": True, "append_images": frames[1:], "duration": [50, 70, 90], "loop": 0}
    for suffix in ("gif", "png", "webp"):
        path = save(tmp_path / f"a.{suffix}", frames[0], **options)
        photo = read_photo(path)
        assert "first of 3 images in the file" in photo.notes
        assert photo.pixels[0, 0].argmax() == 0
        animation = read_animation(path)
        assert [int(frame.pixels[0, 0].argmax()) for frame in animation.frames] == [0, 1, 2]
        assert (animation.durations, animation.loops) == ((50, 70, 90), 0)
    assert len(read_animation(save(tmp_path / "b.png", frames[0])).frames) == 1


def bad_files(folder):
    Image.effect_noise((64, 64), 50).save(folder / "whole.jpg")
    Image.effect_noise((64, 64), 50).save(folder / "whole.png")
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(DEEP))
    tifffile.imwrite(folder / "deep.tif", DEEP, photometric="rgb")
    tifffile.imwrite(folder / "lzw.tif", DEEP, photometric="rgb", compression="lzw")
    for name in ("whole.jpg", "whole.png", "deep.png", "deep.tif", "lzw.tif"):
        content = (folder / name).read_bytes()
        (folder / f"cut {name}").write_bytes(content[: len(content) * 6 // 10])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("not an image")
    (folder / "folder.png").mkdir()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cut whole.jpg", "truncated"),
        ("cut whole.png", "truncated"),
        ("cut deep.png", ""),
        ("cut deep.tif", ""),
        ("cut lzw.tif", ""),
        ("empty.jpg", "the file is empty"),
        ("text.jpg", "not an image in a known format"),
        ("folder.png", "it is a folder"),
        ("absent.png", "no such file"),
    ],
)
def test_bad_files_are_named_with_the_reason(tmp_path, name, reason):
    bad_files(tmp_path)
    with pytest.raises(ValueError, match=rf"Cannot read .*{name}: .*{reason}.*\.$"):
        read_photo(tmp_path / name)


def test_a_wrong_extension_is_read_and_told(tmp_path):
    photo = read_photo(save(tmp_path / "a.jpg", Image.fromarray(COLOURS), format="PNG"))
    assert np.array_equal(photo.pixels, COLOURS)
    assert photo.format == "PNG"
    assert photo.notes == ("a PNG file in spite of its name",)


def test_damaged_exif_does_not_cost_the_image(tmp_path):
    broken = b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x0f\x01\x02\0\xff\xff\xff\xff\xff\xff"
    photo = read_photo(save(tmp_path / "a.jpg", Image.fromarray(COLOURS), exif=broken))
    assert photo.size == (20, 14)


def test_size_is_limited_but_not_as_low_as_pillows(tmp_path):
    """A head that claims a size is enough to be refused; Pillow's own limit is left as it was."""
    limit = Image.MAX_IMAGE_PIXELS

    def claim(width, height):
        chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        data = zlib.compress(b"\0" * (1 + width // 8) * 2)
        parts = [chunk, b"IDAT" + data, b"IEND"]
        encoded = b"".join(
            struct.pack(">I", len(p) - 4) + p + struct.pack(">I", zlib.crc32(p)) for p in parts
        )
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + encoded)
        return tmp_path / "a.png"

    header = read_header(claim(20_000, 20_000))
    assert (header.width, header.height, header.nbytes) == (20_000, 20_000, 4 * 10**8)
    with pytest.raises(ValueError, match=r"Cannot read .*a\.png: .*claims more than 536870912 pixels"):
        read_photo(claim(30_000, 30_000))
    tifffile.imwrite(
        tmp_path / "a.tif", shape=(30_000, 30_000), dtype=np.uint8, compression=None, bigtiff=True
    )
    with pytest.raises(ValueError, match=r"30000x30000 pixels are more than 536870912"):
        read_photo(tmp_path / "a.tif")
    assert limit == Image.MAX_IMAGE_PIXELS
