"""A real web server on this machine that fails, breaks off and limps; and pipes."""

import http.server
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from shard_files import all_keys, deliveries, make_plan, write_shards_of

from data_pipelines.failures import Reason
from data_pipelines.sources import Shard, ShardFault, locate, read_shard, transport
from data_pipelines.sources.index import IndexEntry, write_index


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
        if wanted and self.ranges:
            first = int(wanted.removeprefix("bytes=").rstrip("-"))
        body = content[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: int(len(body) * keep)])
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.002)
    monkeypatch.setattr(Flaky, "requests", Counter())
    monkeypatch.setattr(Flaky, "mode", "")
    monkeypatch.setattr(Flaky, "ranges", False)
    write_shards_of(tmp_path, [6, 0, 9])
    service = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *args: Flaky(*args, directory=str(tmp_path))
    )
    threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{service.server_port}"
    service.shutdown()
    service.server_close()


@pytest.mark.parametrize("ranges", [False, True])
@pytest.mark.parametrize("mode", ["", "every other", "breaks off"])
def test_a_failing_server_gives_every_sample_in_order(server, monkeypatch, mode, ranges):
    monkeypatch.setattr(Flaky, "mode", mode)
    monkeypatch.setattr(Flaky, "ranges", ranges)
    read = [(number, sample.key) for number, sample in read_shard(Shard(f"{server}/s002.tar"))]
    assert read == [(i, f"s002/002_{i:04d}") for i in range(9)]
    assert Flaky.requests["/s002.tar"] == (2 if mode else 1)


def test_bytes_are_those_of_the_file(server, monkeypatch, tmp_path):
    monkeypatch.setattr(Flaky, "mode", "breaks off")
    with transport.open_url(f"{server}/s002.tar") as stream:
        assert stream.read() == (tmp_path / "s002.tar").read_bytes()


def test_a_dead_server_is_a_fault_after_some_attempts(server, monkeypatch):
    monkeypatch.setattr(Flaky, "mode", "down")
    with pytest.raises(ShardFault, match="tried 6 times") as caught:
        list(read_shard(Shard(f"{server}/s002.tar")))
    assert caught.value.reason is Reason.SHARD_UNREACHABLE
    assert Flaky.requests["/s002.tar"] == transport.ATTEMPTS


def test_a_missing_file_is_not_asked_for_again(server):
    with pytest.raises(ShardFault):
        list(read_shard(Shard(f"{server}/s009.tar")))
    assert Flaky.requests["/s009.tar"] == 1


def test_training_stream_over_http_with_one_shard_gone(server, monkeypatch):
    monkeypatch.setattr(Flaky, "mode", "every other")
    plan = make_plan(f"{server}/s00{{0,2,3}}.tar", batch_size=3, shuffle=4)
    given = deliveries(plan, 12)
    assert {key for delivery in given for key in delivery.batch.key} == all_keys([6]) | {
        f"s002/002_{i:04d}" for i in range(9)
    }
    assert {fault.where.rpartition("/")[2] for delivery in given for fault in delivery.faults} == {"s003.tar"}


def test_index_by_http_gives_shards_and_lengths(server, tmp_path):
    write_index(tmp_path, [IndexEntry("s000.tar", 6, 1, ""), IndexEntry("s002.tar", 9, 1, "")])
    expected = [Shard(f"{server}/s000.tar", 6), Shard(f"{server}/s002.tar", 9)]
    assert locate(f"{server}/") == expected
    assert locate(f"{server}/index.json") == expected


def test_pipe(tmp_path):
    write_shards_of(tmp_path, [4])
    shard = Shard(f"pipe:cat {tmp_path}/s000.tar")
    assert shard.name == "s000"
    assert {sample.key for _, sample in read_shard(shard)} == all_keys([4])


def test_pipe_whose_command_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    with pytest.raises(ShardFault) as caught:
        list(read_shard(Shard(f"pipe:cat {tmp_path}/nothing.tar 2>/dev/null")))
    assert caught.value.reason is Reason.SHARD_UNREACHABLE
