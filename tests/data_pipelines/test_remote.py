"""A real web server on this machine that fails, breaks off and limps; and pipes."""

import http.server
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from shard_files import all_keys, deliveries, encoded_image, keys_of, make_plan, write_shards_of

from data_pipelines.cache import LocalCache
from data_pipelines.failures import Reason
from data_pipelines.shards import write_shards
from data_pipelines.sources import SourceError, fetch, locate
from data_pipelines.sources.fetch import open_stream, read_range
from data_pipelines.sources.stream import stream_samples


class Flaky(http.server.SimpleHTTPRequestHandler):
    """Serves a folder. ``mode``: what goes wrong."""

    mode = ""
    ranges = False
    requests: ClassVar = Counter()

    def do_GET(self):
        Flaky.requests[self.path] += 1
        odd = Flaky.requests[self.path] % 2 == 1
        if self.mode == "every other" and odd:
            self.send_error(503, "busy")
        elif self.mode == "down":
            self.send_error(500, "down")
        elif self.mode == "breaks off" and odd:
            self.answer(keep=0.6)
        else:
            self.answer()

    def answer(self, keep=1.0):
        path = self.translate_path(self.path)
        try:
            content = Path(path).read_bytes()
        except OSError:
            return self.send_error(404)
        first = 0
        wanted = self.headers.get("Range")
        partial = bool(wanted and self.ranges)
        last = len(content)
        if partial:
            first, last = (int(n) if n else last for n in wanted.removeprefix("bytes=").split("-"))
        if self.mode == "starts at 0":
            first, last = 0, last - first
        body = content[first : last + 1]
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Content-Length", "abc" if self.mode == "no length" else str(len(body)))
        self.end_headers()
        self.wfile.write(body[: int(len(body) * keep)])
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE", 0.002)
    monkeypatch.setattr(Flaky, "requests", Counter())
    monkeypatch.setattr(Flaky, "mode", "")
    monkeypatch.setattr(Flaky, "ranges", False)
    fetch._failed.clear()
    write_shards_of(tmp_path, [6, 0, 9])
    service = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *args: Flaky(*args, directory=str(tmp_path))
    )
    threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{service.server_port}"
    service.shutdown()
    service.server_close()


def streamed(url):
    """Keys of a stream and the faults told."""
    faults = []
    return [sample.key for sample in stream_samples(url, "sample", faults.append)], faults


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("mode", ["", "every other", "breaks off", "no length"])
def test_a_failing_server_gives_every_sample_in_order(server, monkeypatch, mode, ranges):
    monkeypatch.setattr(Flaky, "mode", mode)
    monkeypatch.setattr(Flaky, "ranges", ranges)
    keys, faults = streamed(f"{server}/s002.tar")
    assert keys == [f"s002/002_{i:04d}" for i in range(9)]
    assert faults == []


def test_bytes_are_those_of_the_file(server, monkeypatch, tmp_path):
    monkeypatch.setattr(Flaky, "mode", "breaks off")
    with open_stream(f"{server}/s002.tar") as stream:
        assert stream.read() == (tmp_path / "s002.tar").read_bytes()


def test_ranges_are_checked(server, monkeypatch, tmp_path):
    content = (tmp_path / "s002.tar").read_bytes()
    monkeypatch.setattr(Flaky, "ranges", True)
    for mode in ("", "breaks off", "every other"):
        monkeypatch.setattr(Flaky, "mode", mode)
        assert read_range(f"{server}/s002.tar", 512, 1100) == content[512:1100]
    monkeypatch.setattr(Flaky, "mode", "starts at 0")
    with pytest.raises(SourceError, match="asked for the bytes from 512 on, the server sent bytes 0-"):
        read_range(f"{server}/s002.tar", 512, 1100)
    monkeypatch.setattr(Flaky, "mode", "")
    with pytest.raises(SourceError, match="asked for the bytes from 512"):  # not asked again at once
        read_range(f"{server}/s002.tar", 512, 1100)


def test_a_dead_server_is_a_fault_after_some_attempts(server, monkeypatch):
    monkeypatch.setattr(Flaky, "mode", "down")
    keys, (fault,) = streamed(f"{server}/s002.tar")
    assert (keys, fault.reason) == ([], Reason.SHARD_UNREACHABLE)
    assert Flaky.requests["/s002.tar"] == fetch.ATTEMPTS


def test_a_missing_file_is_not_asked_for_again(server):
    _, (fault,) = streamed(f"{server}/s009.tar")
    assert fault.reason is Reason.SHARD_MISSING
    assert Flaky.requests["/s009.tar"] == 1


def test_training_stream_over_http_with_one_shard_gone(server, monkeypatch):
    monkeypatch.setattr(Flaky, "mode", "every other")
    given = deliveries(make_plan(f"{server}/s00{{0,2,3}}.tar", batch_size=3, shuffle=4), 40)
    assert set(keys_of(given)) == all_keys([6]) | {f"s002/002_{i:04d}" for i in range(9)}
    assert {fault.where.rpartition("/")[2] for delivery in given for fault in delivery.faults} == {"s003.tar"}


def test_streams_that_give_nothing_end(server):
    (delivery,) = deliveries(make_plan(f"{server}/s009.tar"), 1)
    assert delivery.batch is None
    assert "20 shards in a row without a sample" in delivery.complaint


@pytest.fixture
def indexed(tmp_path):
    """A folder of shards with an index, and the images in it."""
    (tmp_path / "in").mkdir()
    for i in range(9):
        (tmp_path / f"in/{i}.png").write_bytes(encoded_image(i))
    write_shards([str(tmp_path / "in")], str(tmp_path / "out"), max_samples=4, processes=1)
    return tmp_path / "out"


def test_an_index_by_http_is_read_in_ranges(server, indexed, monkeypatch):
    monkeypatch.setattr(Flaky, "ranges", True)
    here, there = make_plan(indexed, batch_size=9), make_plan(f"{server}/out/", batch_size=9)
    assert there.sources[0].samples == 9
    (local,), (remote,) = deliveries(here, 1), deliveries(there, 1)
    assert remote.faults == []
    assert remote.batch.key == local.batch.key
    assert remote.batch.hq.equal(local.batch.hq)


@pytest.mark.parametrize(("gigabytes", "least", "most"), [(1.0, 9, 9), (4e-6, 1, 8)])
def test_remote_samples_are_kept_within_a_bound(
    server, indexed, monkeypatch, tmp_path, gigabytes, least, most
):
    monkeypatch.setattr(Flaky, "ranges", True)
    plan = make_plan(f"{server}/out/", batch_size=9, shuffle=0)
    total = sum(int(shard.places[-1, 1]) for shard in plan.sources[0].shards)
    plan = replace(plan, sources=LocalCache(str(tmp_path / "kept"), gigabytes).around(plan.sources))
    (first,) = deliveries(plan, 1)
    kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert least <= len(kept) <= most
    assert sum(path.stat().st_size for path in kept) <= total
    Flaky.requests.clear()
    (second,) = deliveries(plan, 1)
    assert Flaky.requests.total() == 9 - len(kept)
    assert second.batch.key == first.batch.key
    assert second.batch.hq.equal(first.batch.hq)
    kept[0].write_bytes(b"damaged"[: kept[0].stat().st_size])
    (third,) = deliveries(plan, 1)
    assert third.faults == []
    assert third.batch.hq.equal(first.batch.hq)


def test_an_index_on_a_server_without_ranges_is_a_stream(server, indexed):
    found = locate(f"{server}/out/index.json")
    assert found.shards == []
    assert found.streams == [f"{server}/out/shard-{i:06d}.tar" for i in range(3)]


def test_an_index_in_an_object_store_is_read_in_ranges(indexed):
    store = fsspec.filesystem("memory")
    store.put(f"{indexed}/", "/shards/", recursive=True)
    (remote,), (local,) = (
        deliveries(make_plan("memory://shards/", batch_size=9), 1),
        deliveries(make_plan(indexed, batch_size=9), 1),
    )
    assert remote.batch.key == local.batch.key


def test_pipe(tmp_path):
    write_shards_of(tmp_path, [4])
    keys, faults = streamed(f"pipe:cat {tmp_path}/s000.tar")
    assert set(keys) == all_keys([4])
    assert faults == []


def test_pipe_whose_command_fails(tmp_path):
    keys, faults = streamed(f"pipe:cat {tmp_path}/nothing.tar 2>/dev/null")
    assert keys == []
    assert Reason.SHARD_UNREACHABLE in {fault.reason for fault in faults}
