"""Damaged and hostile archives end with an error, soon, and in little memory."""

import contextlib
import gzip
import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import encoded_image, write_tar

from data_pipelines.failures import Reason
from data_pipelines.safety.tar import MOST_RECORD, members, open_tar
from data_pipelines.sources import Shard, ShardFault, read_shard
from vosr.core.files.regular import MOST_BYTES


def header(name="a.png", size=0, kind=tarfile.REGTYPE, sign=1):
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
            tar.addfile(info, io.BytesIO(bytes([i]) * 600))
    return buffer.getvalue()


def names(content, mode="r:"):
    return [member.name for member in members(open_tar(io.BytesIO(content), mode))]


@pytest.mark.parametrize("mode", ["r:", "r|*"])
@pytest.mark.parametrize(
    "bad",
    [
        header(size=2**80),
        header(size=512, sign=-1),
        header(size=MOST_BYTES + 1),
        header(size=2**80, kind=tarfile.GNUTYPE_LONGNAME),
        header(size=MOST_RECORD + 1, kind=tarfile.XHDTYPE),
        header(size=512, kind=tarfile.GNUTYPE_SPARSE),
    ],
    ids=["2^80", "negative", "large", "long name", "records", "sparse"],
)
def test_sizes_that_make_no_sense(mode, bad):
    whole = archive_of(2)
    with pytest.raises(tarfile.ReadError, match=r"a header gives a size|sparse"):
        names(bad + whole, mode)
    with pytest.raises(tarfile.ReadError, match=r"a header gives a size|sparse"):
        names(whole[:1536] + bad + whole, mode)


def pax(**records):
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {key.replace("_", "."): value for key, value in records.items()}
    return info.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize("size", ["-512", str(2**80), "9" * 5000])
def test_records_may_not_give_such_sizes_either(size):
    content = pax(size=size) + archive_of(1)
    with contextlib.suppress(tarfile.ReadError):
        assert all(0 <= m.size <= MOST_BYTES for m in members(open_tar(io.BytesIO(content), "r:")))


def test_a_sparse_map_is_not_read():
    records = pax(GNU_sparse_major="1", GNU_sparse_minor="0", GNU_sparse_name="x", GNU_sparse_realsize="1")
    with pytest.raises(tarfile.ReadError, match="sparse"):
        names(records + b"99999999\n" + b"1\n" * 100_000)


def test_nested_records_without_end():
    with pytest.raises(tarfile.ReadError):
        names(pax(comment="x")[:-512] * 3000)


@pytest.mark.parametrize("mode", ["r:", "r|*"])
@pytest.mark.parametrize("member", [0, 1, 9])
def test_one_flipped_bit_in_a_header_is_an_error_not_the_end(mode, member):
    content = bytearray(archive_of(20))
    content[1536 * member + 3] ^= 1
    with pytest.raises(tarfile.ReadError):
        names(bytes(content), mode)


@pytest.mark.parametrize("mode", ["r:", "r|*"])
def test_every_cut_before_the_end_mark_is_noticed(mode):
    content = archive_of(3)
    assert names(content, mode) == ["0.png", "1.png", "2.png"]
    for cut in (1, 511, 512, 1000, 1536, 2048, 4607, 4608):
        with pytest.raises((tarfile.ReadError, OSError)):
            names(content[:cut], mode)


def test_a_cut_compressed_archive_is_noticed(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(archive_of(20))[:-30])
    with pytest.raises(ShardFault) as caught:
        list(read_shard(Shard(str(tmp_path / "a.tar.gz"))))
    assert caught.value.reason is Reason.SHARD_DAMAGED


def test_a_bomb_is_left_before_it_fills_memory(tmp_path):
    """Members of zeros, a thousand times smaller on disk."""
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=6) as tar:
        for i in range(12):
            info = tarfile.TarInfo(f"{i}.png")
            info.size = 10_000_000
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    tracemalloc.start()
    with pytest.raises(ShardFault, match="a bomb"):
        for _ in read_shard(Shard(str(tmp_path / "a.tar.gz"))):
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


def test_links_and_devices_are_left_out():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            info = tarfile.TarInfo("x.png")
            info.type, info.linkname = kind, "/dev/zero"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("ok.png"))
    assert names(buffer.getvalue()) == ["ok.png"]


@settings(max_examples=150, deadline=2000)
@given(st.data())
def test_any_change_of_bytes_gives_members_or_one_kind_of_error(data):
    """Bounded fuzzing: no other exception, no unending read."""
    content = bytearray(archive_of(4) if data.draw(st.booleans()) else pax(comment="x" * 600) + archive_of(3))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content)))
    mode = data.draw(st.sampled_from(["r:", "r|*"]))
    with contextlib.suppress(tarfile.TarError):
        assert len(names(bytes(content[:end]), mode)) <= 5


def test_fewer_samples_than_the_index_says_are_told(tmp_path):
    path = write_tar(tmp_path / "a.tar", {f"{i}.png": encoded_image(i) for i in range(2)})
    given_samples = []
    with pytest.raises(ShardFault, match="holds 2 samples, 20 by its index"):
        given_samples.extend(read_shard(Shard(str(path), 20)))
    assert len(given_samples) == 2
