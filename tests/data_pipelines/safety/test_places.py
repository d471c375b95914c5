"""A listed name is a path, whatever it looks like; commands are run only where a user spells them."""

import json
import os

import pytest
from shard_files import encoded_image, write_tar

from data_pipelines.safety.places import indexed_place, is_remote, listed_place, local_place
from data_pipelines.shards import write_shards
from data_pipelines.sources import locate

COMMANDS = ["pipe:touch ran;.tar", "pipe://;touch ran;.tar", "pipe:touch ran;.png"]


@pytest.mark.parametrize("place", ["pipe:cat x", "s3://b/x.tar", "https://h/x.tar", "hf://d/x"])
def test_spelled_places_that_are_remote(place):
    assert is_remote(place)


@pytest.mark.parametrize(
    "place", ["a.tar", "/a/b.tar", "file:///a.tar", "a/pipe:b", "./pipe:b", "C:/x", "./s3://b"]
)
def test_spelled_places_that_are_local(place):
    assert not is_remote(place)


@pytest.mark.parametrize("name", [*COMMANDS, "http:x.tar", "-", "--help", "a.tar", "/a.tar"])
def test_local_places_are_never_taken_for_anything_else(name):
    assert not is_remote(local_place(name))
    assert os.path.normpath(local_place(name)) == os.path.normpath(name)
    assert not local_place(name).startswith("-")


def test_lists_name_paths_and_stores():
    assert listed_place("a.tar", "/data") == "/data/a.tar"
    assert listed_place("pipe:touch x;.tar", "lists") == "./lists/pipe:touch x;.tar"
    assert listed_place("HTTPS://h/a.tar", "/data") == "HTTPS://h/a.tar"
    assert listed_place("file:///x/a.tar", "/data") == "/x/a.tar"
    for line in ("pipe://touch x", "ssh://h/a.tar", "x-thing://y"):
        with pytest.raises(ValueError, match="A list may not name"):
            listed_place(line, "/data")


def test_indexes_name_what_lies_beside_them():
    assert indexed_place("a.tar", "https://h/d") == "https://h/d/a.tar"
    assert indexed_place("pipe:x", "https://h/d") == "https://h/d/pipe:x"
    assert indexed_place("sub/a.tar", "/data") == "/data/sub/a.tar"
    for base in ("https://h/d", "/data"):
        for name in ("/etc/passwd", "../a.tar", "x/../../a.tar", "", "//h/a.tar", "\\\\h\\a.tar", "a\0.tar"):
            with pytest.raises(ValueError, match="not beside it"):
                indexed_place(name, base)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("how", ["folder", "pattern", "list", "index", "shards"])
def test_no_listed_name_is_run(here, name, how):
    """The names as a stranger may give them, read by a stream and by the shards command."""
    name = name.replace("/", "")  # a file's
    (here / "data").mkdir()
    if name.endswith(".tar"):
        write_tar(here / "data" / name, {"a.png": encoded_image(1)})
    else:
        (here / "data" / name).write_bytes(encoded_image(1))
    sources = {
        "folder": "data",
        "pattern": "data/*",
        "list": "data/list.txt",
        "index": "data/index.json",
        "shards": ".",
    }
    (here / "data/list.txt").write_text(f"{name}\n")
    if how == "index":
        entry = {"name": name, "samples": 1, "bytes": 0, "sha256": ""}
        (here / "data/index.json").write_text(json.dumps({"format": "vosr-shards-1", "shards": [entry]}))
    for shard in locate(sources.get(how, ".")).shards:
        for number in range(len(shard)):
            assert shard.read(number).members["png"] == encoded_image(1)
    if how == "shards":
        write_shards(["data"], "out", processes=1)
    assert not (here / "ran").exists()
