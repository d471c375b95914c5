"""Files of a hub: whole and verified or not there, and every failure by its own name."""

import pytest

from vosr.core.hub import HubError, failures, fetch, files_of
from vosr.core.hub.fetch import is_same, look_up

BIG = bytes(range(256)) * 1000


@pytest.fixture
def target(hub, tmp_path):
    hub.repos["me/thing"] = {"sub/big.bin": BIG, "small.json": b"{}"}
    return tmp_path / "got" / "big.bin"


def test_a_file_arrives_and_is_not_asked_for_twice(hub, target):
    seen = []
    assert fetch("me/thing", "sub/big.bin", target, lambda *of: seen.append(of)) == target
    assert target.read_bytes() == BIG
    assert seen[-1] == (len(BIG), len(BIG))
    assert sorted(path.name for path in target.parent.iterdir()) == ["big.bin"]
    assert fetch("me/thing", "small.json", target.with_name("s.json")).read_bytes() == b"{}"
    assert files_of("me/thing") == ["sub/big.bin", "small.json"]
    gets = [asked for asked in hub.asked if asked[0] == "GET"]
    fetch("me/thing", "sub/big.bin", target)
    assert [asked for asked in hub.asked if asked[0] == "GET"] == gets


def test_what_was_broken_off_is_continued(hub, target):
    part = target.parent / f".big.bin.{look_up('me/thing', 'sub/big.bin').etag[:16]}.part"
    part.parent.mkdir()
    part.write_bytes(BIG[:100_000])
    fetch("me/thing", "sub/big.bin", target)
    assert target.read_bytes() == BIG
    assert hub.asked[-1][2] is not None
    assert hub.asked[-1][2].startswith("bytes=100000-")


def test_a_connection_that_breaks_is_taken_up_and_what_came_is_kept(hub, target, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
    hub.faults["sub/big.bin"] = "break"
    with pytest.raises(HubError, match=r"broke after [\d.]+ of 0\.3 MB; the same command goes on"):
        fetch("me/thing", "sub/big.bin", target)
    (part,) = target.parent.glob(".big.bin.*.part")
    assert BIG.startswith(part.read_bytes())
    assert 0 < part.stat().st_size < len(BIG)
    assert not target.exists()
    hub.faults.clear()
    assert fetch("me/thing", "sub/big.bin", target).read_bytes() == BIG


def test_bytes_that_are_not_the_announced_ones_never_get_the_name(hub, target):
    hub.faults["sub/big.bin"] = "corrupt"
    with pytest.raises(failures.BrokenDownloadError, match="checksum"):
        fetch("me/thing", "sub/big.bin", target)
    assert not [path for path in target.parent.iterdir() if not path.name.endswith(".lock")]


def test_files_are_compared_by_size_and_checksum(hub, target):
    fetch("me/thing", "sub/big.bin", target)
    remote = look_up("me/thing", "sub/big.bin")
    assert is_same(target, remote)
    target.write_bytes(BIG[:-1] + b"x")
    assert not is_same(target, remote)


@pytest.mark.parametrize(
    ("repo", "file", "fault", "kind", "words"),
    [
        (
            "me/thing",
            "sub/bog.bin",
            None,
            failures.NotOnHubError,
            r"has no sub/bog.bin. Did you mean sub/big.bin",
        ),
        ("me/thong", "sub/big.bin", None, failures.NotOnHubError, r"has no repository 'me/thong'"),
        ("me/thing", "sub/big.bin", 403, failures.ForbiddenError, r"refuses access to me/thing \(403\)"),
        ("me/thing", "sub/big.bin", "gated", failures.ForbiddenError, r"accept its terms"),
        ("me/thing", "sub/big.bin", 500, failures.ServerError, r"error of its own \(500\)"),
        ("me/thing", "sub/big.bin", 429, failures.ServerError, r"too many requests"),
    ],
)
def test_failures_are_told_apart(hub, target, repo, file, fault, kind, words):
    hub.faults[file] = fault
    with pytest.raises(kind, match=words):
        fetch(repo, file, target)
    assert not target.exists()


def test_no_network(hub, target, monkeypatch):
    hub.close()
    for _ in range(2):  # the second time without asking
        with pytest.raises(failures.OfflineError, match=f"{hub.url} cannot be reached"):
            fetch("me/thing", "sub/big.bin", target)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(failures.OfflineError, match="HF_HUB_OFFLINE is set"):
        fetch("me/thing", "sub/big.bin", target)


def test_the_token_stays_with_the_hub(hub, monkeypatch):
    from vosr.core.hub.fetch import _headers

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert "secret" in _headers(f"{hub.url}/me/thing/resolve/main/x")["authorization"]
    assert "authorization" not in _headers("https://cdn.example/signed")


def test_a_full_disk_is_no_matter_of_the_hub(hub, target, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        fetch("me/thing", "sub/big.bin", target)
    assert not isinstance(error.value, HubError)
    assert not target.exists()
