"""Bad files are left out, counted by reason and logged once; too many stop the run with a report."""

import io
import os
import struct
import time
import zlib

import lightning as L
import numpy as np
import pytest
import torch
from PIL import Image
from shard_files import deliveries, encoded_image, keys_of, make_plan, write_shards_of, write_tar

from data_pipelines import BadDataError, DataHealth, ShardDataModule, decode
from data_pipelines.failures import Reason
from data_pipelines.safety.index import WholeCheck
from data_pipelines.shards import write_shards
from data_pipelines.sources.index import read_index
from data_pipelines.sources.shard import TarShard, scan
from vosr.imaging.opened import opened


def jpeg(side=64):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that claims a size and has no such data: a decompression bomb."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))


def strip(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


BAD = {
    "truncated.jpg": (jpeg()[:-900], Reason.DAMAGED),
    "truncated_png.png": (encoded_image(1, 64)[:3000], Reason.DAMAGED),
    "empty.jpg": (b"", Reason.EMPTY),
    "text.png": (b"This is no image.\n" * 20, Reason.NOT_AN_IMAGE),
    "strip.png": (strip(30_000, 1), Reason.TOO_NARROW),
    "bomb.png": (png_header(60_000, 60_000), Reason.TOO_LARGE),
    "large.png": (png_header(16_000, 12_000), Reason.TOO_LARGE),
    "caption.txt": (b"no image at all", Reason.NO_IMAGE),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_sample_is_left_out_for_its_reason(tmp_path, name):
    content, reason = BAD[name]
    members = {f"good{i}.png": encoded_image(i, 64) for i in range(3)} | {name: content}
    plan = make_plan(write_tar(tmp_path / "a.tar", members), crop_size=32, shuffle=0)
    given = deliveries(plan, 4)
    keys = [key for delivery in given for key in delivery.batch.key]
    faults = [fault for delivery in given for fault in delivery.faults]
    assert keys[:3] == ["a/good0", "a/good1", "a/good2"]
    assert keys[3] in keys[:3]  # another one takes its place
    assert {(fault.reason, fault.where) for fault in faults} == {(reason, f"a/{name.split('.')[0]}")}


def test_truncated_archive_gives_what_it_holds_and_says_so(tmp_path, caplog):
    folder = write_shards_of(tmp_path / "s", [6, 6])
    whole = (folder / "s001.tar").read_bytes()
    (folder / "s001.tar").write_bytes(whole[:1600])  # one header and image, and a piece of the next
    assert make_plan(folder).sources[0].samples == 7
    assert (
        "s001.tar is damaged (001_0001.png ends behind the archive: it is truncated): 1 samples are left"
        in caplog.text
    )


def test_archive_cut_between_members_is_noticed(tmp_path, caplog):
    path = write_tar(tmp_path / "a.tar", {f"{i}.png": encoded_image(i) for i in range(4)})
    size = 512 + -(-len(encoded_image(0)) // 512) * 512
    path.write_bytes(path.read_bytes()[: 2 * size])
    assert make_plan(path).sources[0].samples == 2
    assert "without its end mark" in caplog.text


def first_faults(plan, batches):
    """Faults up to the first repetition."""
    seen = {}
    for delivery in deliveries(plan, batches):
        for fault in delivery.faults:
            seen.setdefault(fault.where, fault)
    return list(seen.values())


def test_one_flipped_bit_in_a_header_costs_one_sample(tmp_path, caplog):
    path = write_tar(tmp_path / "a.tar", {f"{i:02d}.png": encoded_image(i) for i in range(20)})
    content = bytearray(path.read_bytes())
    content[content.find(b"02.png")] ^= 1
    path.write_bytes(content)
    plan = make_plan(path)
    assert set(keys_of(deliveries(plan, 19))) == {f"a/{i:02d}" for i in range(20) if i != 2}
    assert "damaged header at byte" in caplog.text


def test_a_flipped_bit_in_an_indexed_shard_is_a_fault_of_its_sample(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(20):
        (tmp_path / f"in/{i}.png").write_bytes(encoded_image(i))
    write_shards([str(tmp_path / "in")], str(tmp_path / "out"), processes=1)
    shard = tmp_path / "out/shard-000000.tar"
    content = bytearray(shard.read_bytes())
    content[content.find(b"000000007-")] ^= 1
    shard.write_bytes(content)
    given = deliveries(make_plan(tmp_path / "out"), 20)
    faults = [fault for delivery in given for fault in delivery.faults]
    assert {(fault.reason, fault.where) for fault in faults} == {(Reason.SHARD_DAMAGED, str(shard))}
    assert "its checksum is not the one of the index; damaged header at byte 0" in faults[0].detail
    assert len({key for delivery in given for key in delivery.batch.key}) == 19


@pytest.mark.parametrize("workers", [0, 1])
def test_an_archive_that_is_not_the_one_of_its_index_is_told_once_and_whole_ones_are_read_once(
    tmp_path, loader_of, caplog, monkeypatch, workers
):
    monkeypatch.setenv("VOSR_CACHE", str(tmp_path / "cache"))
    source = write_shards_of(tmp_path / "in", [8])
    for name in ("a", "b"):
        write_shards([str(source)], str(tmp_path / name), processes=1)
    changed = tmp_path / "b/shard-000000.tar"
    content = bytearray(changed.read_bytes())
    content[-1] = 1  # behind every sample: no CRC-32 is about it
    changed.write_bytes(content)
    loader = loader_of(make_plan(tmp_path / "a", tmp_path / "b"), batches=400, num_workers=workers)
    for _ in loader:
        if Reason.SHARD_DAMAGED in loader.tally.bad:
            break
        time.sleep(0.01)
    loader.close()
    assert loader.tally.bad == {Reason.SHARD_DAMAGED: 1}
    assert f"Left out {changed} (shard_damaged: it is not the archive of its index" in caplog.text
    assert len(list((tmp_path / "cache/index").glob("*.whole"))) == 1
    remembered = []
    monkeypatch.setattr(
        "data_pipelines.safety.index.checksum", lambda file, rest: remembered.append(file.name)
    )
    check = WholeCheck([(tmp_path / f"{name}/shard-000000.tar", index_of(tmp_path / name)) for name in "ab"])
    check.run()
    assert remembered == [str(changed)]


def index_of(folder):
    return read_index((folder / "index.json").read_text(), "")[0].sha256


@pytest.mark.parametrize(
    "size", [b"\xff" * 12, b"\x80" + b"\x00" * 2 + b"\x01" * 9, b"-0000000001\0", b"77777777777\0"]
)
def test_absurd_sizes_are_damage(tmp_path, size):
    path = write_tar(tmp_path / "a.tar", {f"{i}.png": encoded_image(i) for i in range(3)})
    content = bytearray(path.read_bytes())
    content[124:136] = size
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    path.write_bytes(content)
    shard = scan(path, "sample")
    assert shard.damage
    assert len(shard) in (0, 2)


def test_a_shard_that_vanishes_is_a_fault_of_each_of_its_samples(tmp_path):
    folder = write_shards_of(tmp_path / "s", [5, 7])
    plan = make_plan(folder)
    (folder / "s001.tar").unlink()
    faults = [fault for delivery in deliveries(plan, 12) for fault in delivery.faults]
    assert {(fault.reason, fault.where) for fault in faults} == {
        (Reason.SHARD_MISSING, str(folder / "s001.tar"))
    }
    assert len(faults) >= 7


def test_garbage_instead_of_an_archive(tmp_path):
    folder = write_shards_of(tmp_path / "s", [5, 7])
    plan = make_plan(folder)
    (folder / "s001.tar").write_bytes(b"<html>Not found</html>" * 100)
    (fault,) = first_faults(plan, 10)
    assert fault.reason is Reason.SHARD_DAMAGED


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(ValueError, match="is a named pipe, not a regular file"):
        make_plan(tmp_path / "pipe.tar")


def test_an_archive_that_cannot_be_opened_does_not_end_the_start(tmp_path, caplog):
    folder = write_shards_of(tmp_path / "s", [3, 2])
    os.mkfifo(tmp_path / "pipe.tar")
    (tmp_path / "list.txt").write_text(f"{folder}/s000.tar\n{folder}/s001.tar\n{tmp_path}/pipe.tar\n")
    plan = make_plan(tmp_path / "list.txt")
    assert plan.sources[0].samples == 5
    assert "pipe.tar is damaged" in caplog.text
    assert "a named pipe, not a regular file): 0 samples are left" in caplog.text
    write_shards([str(tmp_path / "list.txt")], str(tmp_path / "out"), processes=1)
    rows = [line.split("\t")[:2] for line in (tmp_path / "out/dropped.tsv").read_text().splitlines()[1:]]
    assert rows == [[str(tmp_path / "pipe.tar"), "shard_damaged"]]


def test_a_decoder_that_never_ends_costs_its_sample(tmp_path, monkeypatch):
    def endless(file):
        while not file.getvalue().endswith(b"good"):
            time.sleep(0.01)
        return opened(file)

    monkeypatch.setattr(decode, "opened", endless)
    monkeypatch.setattr(decode, "SECONDS", 0.2)
    members = {"good.png": encoded_image(1) + b"good", "hangs.png": encoded_image(2)}
    given = deliveries(make_plan(write_tar(tmp_path / "a.tar", members), shuffle=0), 2)
    assert keys_of(given) == ["a/good", "a/good"]
    (fault,) = [fault for delivery in given for fault in delivery.faults][:1]
    assert (fault.reason, fault.where) == (Reason.DAMAGED, "a/hangs")
    assert "takes longer than" in fault.detail


def test_whatever_a_library_raises_costs_its_sample(tmp_path, monkeypatch):
    read, calls = TarShard.read, []

    def breaks(shard, number):
        calls.append(number)
        if len(calls) == 1:
            raise OverflowError("cannot fit 'int' into an index-sized integer")
        return read(shard, number)

    monkeypatch.setattr(TarShard, "read", breaks)
    plan = make_plan(write_shards_of(tmp_path / "s", [3]), shuffle=0)
    (given,) = deliveries(plan, 1)
    assert len(given.batch.key) == 1
    assert [fault.reason for fault in given.faults] == [Reason.SHARD_DAMAGED]
    assert "OverflowError: cannot fit" in given.faults[0].detail


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_readable_stops_with_a_report_and_does_not_hang(tmp_path, loader_of, workers):
    plan = make_plan(write_shards_of(tmp_path, [4, 4]))
    for path in tmp_path.glob("*.tar"):
        write_tar(path, {"a.png": b"x", "b.png": b""})
    loader = loader_of(plan, num_workers=workers)
    with pytest.raises(BadDataError, match=r"500 samples in a row .* not_an_image"):
        next(iter(loader))


def test_all_shards_gone_stops_too(tmp_path, loader_of):
    plan = make_plan(write_shards_of(tmp_path, [1] * 30))
    for path in tmp_path.glob("*.tar"):
        path.unlink()
    with pytest.raises(BadDataError, match="20 shards in a row give nothing"):
        next(iter(loader_of(plan)))


@pytest.mark.parametrize(("bad", "stops"), [(1, False), (3, True)])
def test_run_stops_above_the_share(tmp_path, loader_of, bad, stops):
    members = {f"g{i:02d}.png": encoded_image(i) for i in range(20 - bad)}
    members |= {f"x{i:02d}.png": b"" for i in range(bad)}
    loader = loader_of(make_plan(write_tar(tmp_path / "a.tar", members)), 400, max_bad_share=0.1)
    if stops:
        with pytest.raises(BadDataError, match=r"1\d% of the data are unusable.*empty_file"):
            list(loader)
    else:
        assert len(list(loader)) == 400
    assert loader.tally.bad[Reason.EMPTY] > 0


def test_each_file_is_logged_once(tmp_path, loader_of, caplog):
    members = {f"g{i}.png": encoded_image(i) for i in range(9)} | {"x.png": b""}
    list(loader_of(make_plan(write_tar(tmp_path / "a.tar", members)), 60))
    lines = [record.message for record in caplog.records if "a/x" in record.message]
    assert lines == ["Left out a/x (empty_file: zero bytes)"]


class Tiny(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, _):
        return (self.weight - batch.hq.float().mean() / 255).square()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_counts_reach_the_metrics(tmp_path):
    members = {f"g{i}.png": encoded_image(i) for i in range(8)} | {"x.png": b"", "y.txt": b"words"}
    module = ShardDataModule(
        str(write_tar(tmp_path / "a.tar", members)), crop_size=8, batch_size=2, num_workers=0,
        max_bad_share=0.5, batches_per_epoch=20, shuffle=5,
    )  # fmt: skip
    trainer = L.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu",
        enable_model_summary=False, callbacks=[DataHealth()],
    )  # fmt: skip
    trainer.fit(Tiny(), module)
    metrics = trainer.callback_metrics
    assert metrics["data/good"] == 40
    bad = metrics["data/bad/empty_file"] + metrics["data/bad/no_image_in_sample"]
    assert bad >= 8  # 40 samples are four passes over eight good and two bad ones; substitutes may be bad too
    assert metrics["data/bad_share"] == pytest.approx(bad / (40 + bad))
