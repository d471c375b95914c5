"""Colours that are described without a profile: converted, carried as a profile, or refused by name."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from image_files import RAMP, chunk, png
from PIL import Image, features

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason
from vosr.imaging.colour_tags import avif_codes, avif_depth, profile_of_codes, profile_of_gamma
from vosr.imaging.reading import read_photo
from vosr.imaging.writing import write_photo

RED = np.full((4, 4, 3), (230, 40, 40), np.uint8)
P3_POINTS = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
P3 = profile_of_codes(12, 13)


def gamma(value):
    return chunk(b"gAMA", struct.pack(">I", value))


def cicp(*codes):
    return chunk(b"cICP", bytes(codes))


def seen(content, path):
    """Pixels in 8 bits for restoring; those for training are the same to a level."""
    path.write_bytes(content)
    photo = read_photo(path)
    pixels = np.round(photo.pixels / (257 if photo.pixels.dtype == np.uint16 else 1)).astype(int)
    assert np.abs(decode(content).astype(int) - pixels).max() <= 1
    return pixels


def test_linear_light_is_brightened(tmp_path):
    pixels = seen(png(gamma(100_000), samples=RAMP[..., None].repeat(3, -1)), tmp_path / "a.png")
    linear = RAMP[0] / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    np.testing.assert_allclose(pixels[0, :, 0], expected, atol=1)
    np.testing.assert_allclose(seen(png(gamma(100_000)), tmp_path / "b.png")[0, :, 0], expected, atol=1)


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(45_455),),
        (cicp(1, 13, 0, 1),),
        (chunk(b"sRGB", b"\0"), gamma(100_000)),
        (gamma(0),),
        (chunk(b"cHRM", bytes(32)),),
        (),
    ],
    ids=["gamma of sRGB", "codes of sRGB", "sRGB overrules", "no gamma", "no chromaticities", "nothing"],
)
def test_srgb_and_nonsense_change_nothing(tmp_path, chunks):
    assert np.array_equal(seen(png(*chunks, samples=RED), tmp_path / "a.png"), RED)


@pytest.mark.parametrize(
    "chunks",
    [
        (cicp(12, 13, 0, 1),),
        (gamma(45_455), chunk(b"cHRM", P3_POINTS)),
        (chunk(b"cHRM", P3_POINTS),),
        (cicp(12, 13, 0, 1), chunk(b"iCCP", b"x\0\0damaged")),
    ],
)
def test_wide_gamuts_are_converted_and_come_back_with_a_profile(tmp_path, chunks):
    pixels = seen(png(*chunks, samples=RED), tmp_path / "a.png")
    assert pixels[0, 0].tolist() == [251, 0, 18]
    photo = read_photo(tmp_path / "a.png")
    write_photo(photo, [photo.pixels], photo.size, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as back:
        assert np.abs(np.asarray(back).astype(int) - RED).max() <= 1
        assert back.info["icc_profile"] == photo.profile


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ((9, 16, 0, 1), r"HDR \(PQ\)"),
        ((9, 18, 0, 1), r"HDR \(HLG\)"),
        ((1, 13, 0, 0), "1/13/0/0"),
        ((99, 13, 0, 1), "99/13"),
    ],
)
def test_hdr_and_unknown_codes_are_refused_by_name(tmp_path, codes, reason):
    content = png(cicp(*codes), samples=RED)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.png: .*{reason}"):
        read_photo(tmp_path / "a.png")
    with pytest.raises(ImageError) as error:
        decode(content)
    assert error.value.reason is Reason.UNSUPPORTED


def test_a_profile_counts_not_its_name(tmp_path):
    """Display P3 and linear light whose descriptions say sRGB."""
    named = imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3127, 0.329, 1], primaries=[0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1], gamma=1.0
    ).replace("RGB built-in".encode("utf-16-be"), "sRGB-lin g10".encode("utf-16-be"))
    assert "sRGB-lin".encode("utf-16-be") in named
    buffer = io.BytesIO()
    Image.fromarray(RAMP).convert("RGB").save(buffer, "PNG", icc_profile=named)
    assert seen(buffer.getvalue(), tmp_path / "a.png")[0, 16, 0] == pytest.approx(188, abs=1)


@pytest.mark.parametrize("name", ["adobergb", "p3", "prophoto"])
def test_training_sees_the_colours_of_restoring(tmp_path, name):
    wide = imagecodecs.cms_profile(
        "rgb", whitepoint=[0.3457, 0.3585, 1], primaries=[0.7347, 0.2653, 1, 0.1596, 0.8404, 1, 0.0366, 0.0001, 1],
        gamma=1.8,
    )  # fmt: skip
    profile = {"adobergb": imagecodecs.cms_profile("adobergb"), "p3": P3, "prophoto": wide}[name]
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(64, 64, 3)
    dark = np.random.default_rng(0).integers(0, 40, (64, 64, 3), dtype=np.uint8)
    for number, samples in enumerate((grid, dark)):
        Image.fromarray(samples).save(tmp_path / f"{number}.png", icc_profile=profile)
        seen((tmp_path / f"{number}.png").read_bytes(), tmp_path / f"{number}.png")


def test_profiles_of_hdr_are_refused(tmp_path):
    """ICC's own tag of code points, and the name that PNG files used before they had cICP."""
    profile = bytearray(P3)
    at = int.from_bytes(profile[136:140], "big")
    profile[132:136], profile[at : at + 12] = b"cicp", b"cicp\0\0\0\0\x09\x12\0\1"
    for name, made in (("HLG", bytes(profile)), ("PQ", P3[:200] + b"ITUR_2100_PQ_FULL" + P3[217:])):
        Image.fromarray(RED).save(tmp_path / "a.jpg", icc_profile=made)
        with pytest.raises(ValueError, match=rf"HDR \({name}\)"):
            read_photo(tmp_path / "a.jpg")
        with pytest.raises(ImageError):
            decode((tmp_path / "a.jpg").read_bytes())


def boxes(*named):
    return b"".join(struct.pack(">I4s", len(body) + 8, kind) + body for kind, body in named)


def test_colour_boxes_of_avif():
    colr = b"nclx" + struct.pack(">HHHB", 9, 16, 9, 0x80)
    ipco = boxes((b"ispe", bytes(12)), (b"pixi", b"\0\0\0\0\x03\x0a\x0a\x0a"), (b"colr", colr))
    data = boxes((b"ftyp", b"avif"), (b"meta", bytes(4) + boxes((b"iprp", boxes((b"ipco", ipco))))))
    assert avif_codes(data) == (9, 16)
    assert avif_depth(data) == 10
    assert avif_codes(data[:40]) is None
    assert avif_depth(b"") == 8


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif_in_pq_and_display_p3(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RED).resize((64, 64)).save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    plain = buffer.getvalue()
    place = plain.index(b"colrnclx") + 8
    assert abs(seen(plain, tmp_path / "a.avif")[32, 32] - RED[0, 0]).max() <= 2
    wide = plain[:place] + struct.pack(">HH", 12, 13) + plain[place + 4 :]
    assert abs(seen(wide, tmp_path / "b.avif")[32, 32] - [251, 0, 18]).max() <= 4
    (tmp_path / "c.avif").write_bytes(plain[:place] + struct.pack(">HH", 9, 16) + plain[place + 4 :])
    with pytest.raises(ValueError, match=r"HDR \(PQ\)"):
        read_photo(tmp_path / "c.avif")


def test_gamma_of_a_grey_image_and_limits():
    assert profile_of_gamma(1 / 2.2, None, grey=True) is None
    assert profile_of_gamma(1.0, None, grey=True)[16:20] == b"GRAY"
    assert profile_of_codes(2, 2) is None
    with pytest.raises(ValueError, match="describe no colours"):
        profile_of_gamma(None, (0.3, 0.3, 2.0, 0.3, 0.3, 0.6, 0.1, 0.1), grey=False)
