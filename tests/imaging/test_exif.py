"""EXIF is carried byte for byte: one broken value costs itself alone, text keeps its bytes, lengths are kept."""

import struct

from PIL import Image

from vosr.imaging.exif import MAKER_NOTE, Exif
from vosr.imaging.tiff_directory import Entry

RNG_TAGS = {tag: Entry(2, 5, b"abcd\0") for tag in range(0x9000, 0x9030)}


def block(**entries):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "camera", 6
    exif[0x8769] = {0x8827: 400, 0xA002: 20, 0xA003: 15, 0x9003: "2026:01:02 03:04:05"}
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}
    return exif.tobytes()


def test_what_is_read_is_written_for_pillow_in_both_byte_orders():
    for order in ("<", ">"):
        exif = Exif(order, {0x010F: Entry(2, 7, b"camera\0")})
        exif = exif.with_main({0x011A: exif.entry_of(5, 300, 1), 0x0128: exif.entry_of(3, 2)})
        read = Image.Exif()
        read.load(exif.tobytes())
        assert (read[0x010F], read[0x011A], read[0x0128]) == ("camera", 300, 2)
        assert Exif.parse(exif.tobytes()) == exif


def test_all_directories_come_back():
    exif = Exif.parse(block())
    assert exif.damaged == 0
    again = Exif.parse(exif.kept().sized(80, 60).tobytes())
    read = Image.Exif()
    read.load(exif.kept().sized(80, 60).tobytes())
    assert 0x0112 not in read
    assert read.get_ifd(0x8769)[0xA002] == 80
    assert read.get_ifd(0x8825)[2] == (48.0, 8.0, 14.0)
    assert again.photo[0x9003] == exif.photo[0x9003]


def test_one_broken_value_leaves_the_other_48():
    entries = {**RNG_TAGS, 0x8769: Entry(4, 1, b"\0\0\0\0")}
    entries = {tag: entry for tag, entry in entries.items() if tag != 0x8769}
    whole = bytearray(Exif("<", main=entries).tobytes())
    place = 6 + 8 + 2 + 12 * 7  # the eighth entry points far behind the end
    struct.pack_into("<I", whole, place + 8, 2**31)
    exif = Exif.parse(bytes(whole))
    assert len(exif.main) == 47
    assert exif.damaged == 1
    assert Exif.parse(exif.tobytes()).main == exif.main


def test_text_that_is_not_ascii_keeps_its_bytes():
    name = "Jörg Müller\0".encode()
    exif = Exif(main={0x013B: Entry(2, len(name), name)})
    assert Exif.parse(exif.tobytes()).main[0x013B].data == name


def test_ratios_that_are_none():
    assert Exif(main={0x011A: Entry(5, 1, bytes(8))}).ratio(0x011A) is None
    assert Exif(main={0x011A: Entry(5, 1, struct.pack("<II", 72, 1))}).ratio(0x011A) == 72
    assert Exif(main={0x011A: Entry(2, 2, b"72")}).ratio(0x011A) is None


def test_the_makers_notes_go_first_then_the_longest():
    photo = {
        MAKER_NOTE: Entry(7, 500, bytes(500)),
        0x9286: Entry(7, 900, bytes(900)),
        1: Entry(3, 1, b"\1\0"),
    }
    short, names = Exif(photo=photo).shortened(1000)
    assert names == ["MakerNote"]
    short, names = Exif(photo=photo).shortened(300)
    assert names == ["MakerNote", "UserComment"]
    assert len(short.tobytes()) <= 300
    assert list(short.photo) == [1]


def test_a_directory_cannot_grow_by_pointing_twice():
    """4096 values that all stand for the same 16 MiB."""
    entries = b"".join(struct.pack("<HHII", tag, 7, 2**23, 8) for tag in range(4096))
    body = b"II*\0" + struct.pack("<IH", 8, 4096) + entries + bytes(2**23)
    exif = Exif.parse(body)
    assert sum(len(entry.data) for entry in exif.main.values()) <= 2**24
    assert exif.damaged == 4094


def test_junk_is_empty_and_counted():
    assert Exif.parse(None) == Exif()
    assert Exif.parse(b"Exif\0\0junk").damaged == 1
    assert Exif.parse(b"Exif\0\0II*\0\xff\xff\0\0").empty
