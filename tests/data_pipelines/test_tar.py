"""Damaged and hostile archives: what is whole is found, what is not is told, soon and in little memory."""

import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.failures import Reason
from data_pipelines.sources.stream import stream_samples
from data_pipelines.sources.tar import Bytes, tar_samples
from vosr.core.files.regular import MOST_BYTES


def header(name="bad.png", size=0, kind=tarfile.REGTYPE, sign=1):
    """A header with a right checksum and whatever size."""
    info = tarfile.TarInfo(name)
    info.type = kind
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    field = (sign * size).to_bytes(12, "big", signed=True) if sign < 0 else size.to_bytes(11, "big")
    block[124:136] = b"\xff" + field[1:] if sign < 0 else b"\x80" + field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def archive_of(count):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for i in range(count):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = 600
            tar.addfile(info, io.BytesIO(bytes([i + 65]) * 600))
    return buffer.getvalue()


class Stream:
    """Bytes that cannot be sought."""

    def __init__(self, content):
        self._content = io.BytesIO(content)

    def read(self, size):
        return self._content.read(size)


def read(content, seekable=True):
    """Keys, with the first byte of each, and what was reported."""
    problems = []
    source = Bytes(io.BytesIO(content), True) if seekable else Bytes(Stream(content))
    found = [
        (s.key, s.members["png"][:1])
        for s in tar_samples(source, problems.append, "sample", True, len(content) if seekable else None)
    ]
    return found, problems


WHOLE = [("0", b"A"), ("1", b"B")]
seekable = pytest.mark.parametrize("seekable", [True, False])


@seekable
@pytest.mark.parametrize(
    "bad",
    [
        header(size=2**80),
        header(size=512, sign=-1),
        header(size=MOST_BYTES + 1),
        header(size=2**80, kind=tarfile.GNUTYPE_LONGNAME),
        header(size=512, kind=tarfile.GNUTYPE_SPARSE),
    ],
    ids=["2^80", "negative", "large", "long name", "sparse"],
)
def test_sizes_that_make_no_sense_cost_their_own_sample(seekable, bad):
    assert read(bad + archive_of(2), seekable) == (WHOLE, ["damaged header at byte 0"])
    assert read(archive_of(1)[:1536] + bad + archive_of(2)[1536:], seekable) == (
        WHOLE,
        ["damaged header at byte 1536"],
    )


def pax(**records):
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {key.replace("_", "."): value for key, value in records.items()}
    return info.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize("size", ["-512", str(2**80), "9" * 5000])
def test_records_may_not_give_such_sizes_either(size):
    found, _ = read(pax(size=size) + archive_of(2))
    assert [key for key, _ in found if key != "a"] == ["0", "1"]


def test_nested_records_without_end():
    assert read(pax(comment="x")[:-512] * 3000 + archive_of(2))[0] == WHOLE


@seekable
@pytest.mark.parametrize("member", [0, 1, 9])
def test_one_flipped_bit_in_a_header_costs_one_sample(seekable, member):
    content = bytearray(archive_of(20))
    content[1536 * member + 3] ^= 1
    found, problems = read(bytes(content), seekable)
    assert [key for key, _ in found] == [str(i) for i in range(20) if i != member]
    assert problems == [f"damaged header at byte {1536 * member}"]


@seekable
def test_every_cut_before_the_end_mark_is_told(seekable):
    content = archive_of(3)
    assert read(content, seekable)[1] == []
    for cut in (1, 511, 512, 1000, 1536, 2048, 4607, 4608):
        assert "truncated" in " ".join(read(content[:cut], seekable)[1]), cut


def faults_of(path):
    faults = []
    keys = [sample.key for sample in stream_samples(str(path), "sample", faults.append)]
    return keys, faults


def test_a_cut_compressed_archive_is_noticed(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(archive_of(20))[:-30])
    keys, (fault,) = faults_of(tmp_path / "a.tar.gz")
    assert len(keys) <= 20
    assert fault.reason is Reason.SHARD_DAMAGED


def test_a_bomb_is_left_before_it_fills_memory(tmp_path):
    """Members of zeros, a thousand times smaller on disk."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=6) as tar:
        for i in range(12):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = 10_000_000
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    tracemalloc.start()
    faults = []
    for _ in stream_samples(str(tmp_path / "a.tar.gz"), "sample", faults.append):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "a bomb" in faults[0].detail
    assert peak < 60e6


def test_garbage_gives_nothing_and_says_so():
    found, problems = read(b"<html>" * 5000)
    assert found == []
    assert problems[0] == "damaged header at byte 0"


@settings(max_examples=120, deadline=2000)
@given(st.data())
def test_any_change_of_bytes_gives_samples_or_reports(data):
    """Bounded fuzzing: no exception, no unending read."""
    content = bytearray(archive_of(4) if data.draw(st.booleans()) else pax(comment="x" * 600) + archive_of(3))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    source = Bytes(io.BytesIO(bytes(content[:end])), True)
    assert len(list(tar_samples(source, lambda _: None, "sample", True, end))) <= 6
