"""What a file says besides its pixels reaches every format that holds it; what does not is told."""

import io
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import IPTC, RAMP, XMP, chunk, grey_tiff, png
from PIL import Image, features
from PIL.PngImagePlugin import PngInfo

from vosr.imaging import tiff
from vosr.imaging.exif import Exif
from vosr.imaging.formats import FORMATS
from vosr.imaging.iptc import as_resources, from_resources, jpeg_segment
from vosr.imaging.metadata import Metadata, gathered
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.reading import read_animation, read_photo
from vosr.imaging.tiff_directory import Entry
from vosr.imaging.writing import write_animation, write_photo

PIXELS = np.full((16, 32, 3), (200, 100, 50), np.uint8)
FULL = Metadata(
    exif=Exif().with_main({0x013B: Exif().entry_of(3, 7)}).tobytes(),
    xmp=XMP,
    iptc=IPTC,
    text=(("Author", "Müller"), ("Title", "日本")),
    comment="a comment",
    resolution=(300.0, 150.0),
)


def there_and_back(metadata, path, **photo):
    notes = write_photo(Photo(PIXELS, metadata=metadata, **photo), [PIXELS], (32, 16), path)
    return read_photo(path).metadata, notes


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_holds_what_its_row_says(tmp_path, name):
    form = FORMATS[name]
    back, notes = there_and_back(FULL, tmp_path / f"a{form.suffixes[0]}")
    assert (back.exif is not None) == ("exif" in form.holds)
    assert (back.iptc == IPTC) == ("iptc" in form.holds)
    assert (back.xmp is not None) == ("xmp" in form.holds)
    assert back.comment == ("a comment" if name == "jpeg" else None)
    assert dict(back.text) == ({**dict(FULL.text), "Comment": "a comment"} if name == "png" else {})
    assert back.resolution == pytest.approx((300, 150), rel=1e-3)
    missing = {note.partition(" holds no ")[2].partition(":")[0] for note in notes}
    expected = {
        "png": set(),
        "jpeg": {"texts as PNG does"},
        "tiff": {"texts as PNG does", "comment"},
        "webp": {"texts as PNG does", "comment", "IPTC"},
        "avif": {"texts as PNG does", "comment", "IPTC"},
        "bmp": {"texts as PNG does", "comment", "IPTC", "XMP", "EXIF"},
    }[name]
    assert missing == expected


def test_xmp_does_not_turn_or_resize_the_result_again(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.webp", xmp=XMP, lossless=True)
    photo = read_photo(tmp_path / "a.webp")
    assert photo.size == (16, 32)  # turned, as XMP says
    write_photo(photo, [photo.pixels.repeat(2, 0).repeat(2, 1)], (32, 64), tmp_path / "b.webp")
    assert read_photo(tmp_path / "b.webp").size == (32, 64)
    kept = read_photo(tmp_path / "b.webp").metadata.xmp
    assert b'tiff:Orientation="1" tiff:ImageWidth="32"' in kept


def test_what_each_format_says_is_read(tmp_path):
    image, exif = Image.fromarray(PIXELS), Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 100.0, 100.0, 3
    image.save(tmp_path / "exif.jpg", exif=exif)
    assert read_photo(tmp_path / "exif.jpg").metadata.resolution == pytest.approx((254, 254))
    image.save(tmp_path / "jfif.jpg", dpi=(72, 36), comment=b"said")
    read = read_photo(tmp_path / "jfif.jpg").metadata
    assert (read.resolution, read.comment) == ((72, 36), "said")
    plain = (tmp_path / "jfif.jpg").read_bytes()
    (tmp_path / "iptc.jpg").write_bytes(plain[:2] + jpeg_segment(IPTC) + plain[2:])
    assert read_photo(tmp_path / "iptc.jpg").metadata.iptc == IPTC
    info = PngInfo()
    info.add_text("Author", "me", zip=True)
    image.save(tmp_path / "a.png", pnginfo=info, dpi=(300, 300))
    read = read_photo(tmp_path / "a.png").metadata
    assert read.text == (("Author", "me"),)
    assert read.resolution == pytest.approx((300, 300), rel=1e-3)
    image.save(tmp_path / "a.bmp", dpi=(300, 300))
    assert read_photo(tmp_path / "a.bmp").metadata.resolution == pytest.approx((300, 300), rel=1e-3)
    image.convert("L").save(tmp_path / "a.gif", comment=b"gif")
    assert read_photo(tmp_path / "a.gif").metadata.comment == "gif"


@pytest.mark.parametrize(
    "parts",
    [
        chunk(b"tEXt", b"Comment\0x", crc=1),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + b"no zlib"),
        chunk(b"iTXt", b"Title\0\1"),
        chunk(b"eXIf", b"junk"),
        chunk(b"iCCP", b"x\0\0junk"),
        chunk(b"pHYs", b"1"),
        chunk(b"cICP", b"1"),
        chunk(b"gAMA", b""),
    ],
    ids=["checksum", "packed", "unicode", "EXIF", "profile", "resolution", "codes", "gamma"],
)
def test_a_broken_part_of_a_png_does_not_cost_the_image(tmp_path, parts):
    (tmp_path / "a.png").write_bytes(png(parts))
    photo = read_photo(tmp_path / "a.png")
    assert np.array_equal(photo.pixels[..., 0], RAMP)
    assert len(photo.notes) == 1
    assert "left out" in photo.notes[0]


def test_long_profiles_and_texts_in_png(tmp_path):
    profile = imagecodecs.cms_profile("adobergb")
    long = bytearray(profile + bytes(2**21))
    long[:4] = len(long).to_bytes(4, "big")
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "TIFF", icc_profile=bytes(long))
    (tmp_path / "a.tif").write_bytes(buffer.getvalue())
    photo = read_photo(tmp_path / "a.tif")
    assert photo.converted
    notes = write_photo(photo, [photo.pixels], photo.size, tmp_path / "a.png")
    assert notes == ("PNG readers refuse a colour profile of 2.0 MiB: written in sRGB",)
    with Image.open(tmp_path / "a.png") as back:  # as others read it
        assert np.abs(np.asarray(back) - photo.pixels / 257).max() <= 0.5
    Image.fromarray(PIXELS).save(tmp_path / "b.png", icc_profile=bytes(long))
    assert read_photo(tmp_path / "b.png").profile == bytes(long)
    write_photo(read_photo(tmp_path / "b.png"), [photo.pixels], photo.size, tmp_path / "b.jpg")
    assert read_photo(tmp_path / "b.jpg").profile == bytes(long)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_resolutions_that_are_none_do_not_cost_the_image(tmp_path, suffix):
    for values in ((0, 0), (0, 5), (5, 0)):
        exif = Exif()
        exif = exif.with_main({tag: exif.entry_of(5, *values) for tag in (0x011A, 0x011B)})
        Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif.tobytes())
        photo = read_photo(tmp_path / "a.jpg")
        assert photo.metadata.resolution is None
        assert "EXIF resolution left out: it is no number" in photo.notes
        write_photo(photo, [photo.pixels], photo.size, tmp_path / f"b.{suffix}")
        assert read_photo(tmp_path / f"b.{suffix}").size == (32, 16)
    for wrong in ((float("nan"), 1.0), (float("inf"), 1.0), (-1.0, 1.0), (0.0, 1.0)):
        assert gathered(Exif(), resolution=wrong)[0].resolution is None


def test_long_exif_in_jpeg_keeps_the_image_and_says_what_went(tmp_path):
    text = "ü" * 40_000
    exif = Exif().with_main({0x010E: Exif().entry_of(3, *range(1, 40_001)), 0x010F: Exif().entry_of(3, 9)})
    back, notes = there_and_back(Metadata(exif.tobytes(), xmp=text.encode()), tmp_path / "a.jpg")
    assert list(Exif.parse(back.exif).main) == [0x010F]
    assert notes[0] == "JPEG holds 64 KiB of EXIF: left out ImageDescription"
    assert notes[1].startswith("JPEG holds 655")
    assert back.xmp is None


def test_views_and_gain_maps_are_told_and_no_longer_announced(tmp_path):
    image, second = Image.fromarray(PIXELS), Image.new("RGB", (32, 16))
    image.save(tmp_path / "a.mpo", "MPO", save_all=True, append_images=[second])
    assert read_photo(tmp_path / "a.mpo").notes == ("1 further views or previews left out",)
    claim = b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" tiff:ImageWidth'
    announced = XMP.replace(b"tiff:ImageWidth", claim)
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], xmp=announced)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.notes == ("its gain map (HDR) left out",)
    write_photo(photo, [photo.pixels], photo.size, tmp_path / "b.jpg")
    again = read_photo(tmp_path / "b.jpg")
    assert again.notes == ()
    assert b"hdrgm:" not in again.metadata.xmp


def test_what_is_carried_nowhere_is_told(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    plain = (tmp_path / "a.jpg").read_bytes()
    more = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40)
    for marker, body in ((b"\xff\xeb", b"JP\0\0"), (b"\xff\xe1", more)):
        plain = plain[:2] + marker + (len(body) + 2).to_bytes(2, "big") + body + plain[2:]
    (tmp_path / "a.jpg").write_bytes(plain)
    (tmp_path / "a.png").write_bytes(png(chunk(b"caBX", b"jumb")))
    layers = grey_tiff(4, 4, data=bytes(16), tags={37724: (7, [1, 2, 3, 4, 5])})
    (tmp_path / "a.tif").write_bytes(layers)
    credentials = "content credentials (C2PA) left out: they vouch for the original"
    assert read_photo(tmp_path / "a.jpg").notes == (credentials, "extended XMP left out")
    assert read_photo(tmp_path / "a.png").notes == (credentials,)
    assert read_photo(tmp_path / "a.tif").notes == ("layers of Photoshop left out",)


def test_iptc_in_resources():
    assert from_resources(as_resources(IPTC)) == IPTC
    assert from_resources(b"8BIM\x03\xed\0\0\0\0\0\x02ab" + as_resources(IPTC)) == IPTC
    assert from_resources(IPTC) == IPTC
    assert from_resources(b"8BIM\x04\x04") is None
    assert from_resources(b"junk") is None


def test_pages_of_two_sizes(tmp_path):
    photos = [Photo(np.full((4, 6, 3), 9, np.uint8)), Photo(np.full((8, 5, 3), 7, np.uint8), deep=False)]
    restored = [np.full((8, 12, 3), 90, np.uint8), np.full((16, 10, 3), 70, np.uint8)]
    write_animation(Animation(tuple(photos)), restored, tmp_path / "a.tif")
    back = read_animation(tmp_path / "a.tif").frames
    assert [(frame.size, int(frame.pixels[0, 0, 0])) for frame in back] == [((12, 8), 90), ((10, 16), 70)]
    with pytest.raises(
        ValueError, match="WEBP holds images of one size only, not 10x16 and 12x8; choose tiff"
    ):
        write_animation(Animation(tuple(photos)), restored, tmp_path / "a.webp")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_adobe_rgb_of_cameras_that_write_no_profile(tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA005: {1: "R03", 2: b"0100"}}
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.converted
    assert photo.pixels[0, 0, 0] / 257 > 210  # 200 in Adobe RGB is redder in sRGB


@pytest.mark.parametrize("order", ["<", ">"])
def test_big_tiffs_hold_the_same(tmp_path, monkeypatch, order):
    """Beyond 4 GB the directories have another layout; EXIF's own lie in it as well."""
    monkeypatch.setattr(tiff, "_BIG", 0)
    exif = Exif(order)
    exif = exif.with_main({0x010F: Entry(2, 7, b"camera\0"), 0x0131: Entry(2, 5, b"soft\0")})
    exif = replace(exif, photo={0x8827: exif.entry_of(3, 400)}, gps={1: Entry(2, 2, b"N\0")})
    back, notes = there_and_back(Metadata(exif.tobytes(), XMP, IPTC), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes()[2:4] in (b"+\0", b"\0+")
    read = Exif.parse(back.exif)
    assert (read.main[0x010F], read.main[0x0131]) == (exif.main[0x010F], exif.main[0x0131])
    assert (read.photo, read.gps) == (exif.photo, exif.gps)
    assert (back.iptc, notes) == (IPTC, ())
    assert b"tiff:Orientation" in back.xmp
    with tifffile.TiffFile(tmp_path / "a.tif") as file:  # as others read it
        assert file.is_bigtiff
        assert file.pages.first.tags["ExifTag"].value["ISOSpeedRatings"] == 400
