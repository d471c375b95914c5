"""What a user may type for a source, and what is made of it."""

import gzip

import pytest
from shard_files import all_keys, encoded_image, write_shards_of, write_tar

from data_pipelines.sources import Shard, locate, read_shard
from data_pipelines.sources.index import IndexEntry, read_index, write_index
from data_pipelines.sources.shard import count_samples, split_key


def keys(source):
    return [sample.key for shard in locate(str(source)) for _, sample in read_shard(shard)]


def test_folder_of_shards_file_pattern_and_braces(tmp_path):
    write_shards_of(tmp_path, [2, 1, 3])
    assert set(keys(tmp_path)) == all_keys([2, 1, 3])
    assert keys(tmp_path / "s000.tar") == ["s000/000_0000", "s000/000_0001"]
    assert keys(tmp_path / "s00{0,2}.tar") == keys(tmp_path / "s000.tar") + keys(tmp_path / "s002.tar")
    assert keys(tmp_path / "s00[02].tar") == keys(tmp_path / "s00{0..2..2}.tar")
    assert keys(f"file://{tmp_path}/s000.tar") == keys(tmp_path / "s000.tar")


def test_folder_of_images_is_searched_through(tmp_path):
    for name in ("b/2.png", "a.PNG", "b/c/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encoded_image(0))
    (tmp_path / "notes.txt").write_text("no image")
    assert keys(tmp_path) == ["a.PNG", "b/2.png", "b/c/3.png"]
    assert keys(tmp_path / "b" / "2.png") == ["2.png"]


def test_list_of_images_shards_and_remarks(tmp_path):
    write_shards_of(tmp_path / "shards", [2])
    (tmp_path / "x.png").write_bytes(encoded_image(0))
    (tmp_path / "list.txt").write_text("# mine\nx.png\n\nshards/s000.tar\nhttps://example.org/1.tar\n")
    shards = locate(str(tmp_path / "list.txt"))
    assert shards[0].url == "https://example.org/1.tar"
    assert [sample.key for shard in shards[1:] for _, sample in read_shard(shard)] == [
        "s000/000_0000", "s000/000_0001", "x.png",
    ]  # fmt: skip


def test_remote_names_are_not_looked_for_on_the_disk():
    assert [shard.url for shard in locate("https://example.org/{08..10}.tar")] == [
        f"https://example.org/{n}.tar" for n in ("08", "09", "10")
    ]
    assert locate("pipe:cat a b") == [Shard("pipe:cat a b")]
    assert locate("s3://bucket/x.tar")[0].name == "x"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("shrds", "Did you mean .*shards"),
        ("empty", "neither tar shards nor images"),
        ("x.doc", "neither tar"),
    ],
)
def test_wrong_sources_are_explained(tmp_path, source, message):
    write_shards_of(tmp_path / "shards", [1])
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.doc").write_text("")
    with pytest.raises(ValueError, match=message):
        locate(str(tmp_path / source))


def test_index_round_trip_and_use(tmp_path):
    write_shards_of(tmp_path, [2, 1, 3])
    entries = [IndexEntry("s000.tar", 2, 100, "a"), IndexEntry("s002.tar", 3, 200, "b", 7)]
    path = write_index(tmp_path, entries, note="x")
    assert read_index(path.read_text(), "here") == entries
    assert [(shard.samples, shard.name) for shard in locate(str(tmp_path))] == [(2, "s000"), (3, "s002")]
    path.write_text("{}")
    with pytest.raises(ValueError, match="is no 'vosr-shards-1' index"):
        locate(str(tmp_path))


def test_samples_are_grouped_by_key(tmp_path):
    members = {
        "d/1.json": b"{}",
        "d/1.png": encoded_image(0),
        "d/2.hq.png": encoded_image(1),
        "__meta__.json": b"",
    }
    read = [sample for _, sample in read_shard(Shard(str(write_tar(tmp_path / "x.tar", members))))]
    assert [(sample.key, sorted(sample.members)) for sample in read] == [
        ("x/d/1", ["json", "png"]),
        ("x/d/2", ["png"]),
    ]
    assert read[0].image == ("png", encoded_image(0))


@pytest.mark.parametrize(
    ("name", "expected"), [("a/b.c/d.e.JPG", ("a/b.c/d", "jpg")), ("x.png", ("x", "png")), ("x", ("x", ""))]
)
def test_split_key(name, expected):
    assert split_key(name) == expected


def test_wanted_numbers_only(tmp_path):
    write_shards_of(tmp_path, [9])
    shard = Shard(str(tmp_path / "s000.tar"))
    assert [number for number, _ in read_shard(shard, range(1, 100, 3))] == [1, 4, 7]
    assert [number for number, _ in read_shard(shard, range(2, 4))] == [2, 3]
    assert count_samples(shard) == 9


def test_compressed_archives(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"1.png": encoded_image(0)})
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    (sample,) = [sample for _, sample in read_shard(Shard(str(tmp_path / "x.tar.gz")))]
    assert sample.image == ("png", encoded_image(0))
