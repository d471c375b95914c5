"""What a user may type for a source, and what is made of it."""

import gzip
import io
import os
import tarfile

import pytest
import webdataset as wds
from shard_files import all_keys, deliveries, encoded_image, keys_of, make_plan, write_shards_of, write_tar

from data_pipelines import ShardDataModule
from data_pipelines.shards import write_shards
from data_pipelines.sources import find_source, locate
from data_pipelines.sources.fields import AmbiguousError, Fields, is_side_file, split_key
from data_pipelines.sources.index import IndexEntry, entry_of, read_index, write_index
from data_pipelines.sources.shard import Names, scan
from data_pipelines.sources.stream import stream_samples


def samples(source, rule="sample"):
    found = locate(str(source), rule)
    counted = [shard.read(i) for shard in found.shards for i in range(len(shard))]
    return counted + [sample for url in found.streams for sample in stream_samples(url, rule, pytest.fail)]


def keys(source, rule="sample"):
    return [sample.key for sample in samples(source, rule)]


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
    (tmp_path / "list.txt").write_text("# mine\nx.png\n\nshards/s000.tar\n")
    assert keys(tmp_path / "list.txt") == ["s000/000_0000", "s000/000_0001", "x.png"]
    (tmp_path / "urls.txt").write_text("shards/s000.tar\nhttps://example.org/1.tar\n")
    found = locate(str(tmp_path / "urls.txt"))
    assert found.streams == ["https://example.org/1.tar"]
    assert len(found.shards) == 1


def test_a_line_of_a_list_is_never_a_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("pipe:touch ran;cat x.tar\n")
    with pytest.raises((ValueError, FileNotFoundError)):
        find_source([str(tmp_path / "list.txt")])
    (tmp_path / "list.txt").unlink()
    write_tar(tmp_path / "pipe:touch ran;.tar", {"1.png": encoded_image(0)})
    assert keys(tmp_path) == keys("*.tar") == ["pipe:touch ran;/1"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("blocks", [[1, 2], [0], [-3], [10**9], "xx"])
def test_an_index_cannot_name_bytes_that_are_not_there(blocks):
    with pytest.raises((ValueError, TypeError)):
        IndexEntry("a.tar", 1, 1024, "", 0, blocks)


def test_remote_names_are_not_looked_for_on_the_disk():
    assert locate("https://example.org/{08..10}.tar").streams == [
        f"https://example.org/{n}.tar" for n in ("08", "09", "10")
    ]
    assert locate("pipe:cat a b").streams == ["pipe:cat a b"]
    assert locate("s3://bucket/x.tar").streams == ["s3://bucket/x.tar"]


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
    entries = [entry_of(tmp_path / name) for name in ("s000.tar", "s002.tar")]
    path = write_index(tmp_path, entries, note="x")
    assert [(e.name, e.samples, e.sha256) for e in read_index(path.read_text(), "here")] == [
        (e.name, e.samples, e.sha256) for e in entries
    ]
    assert keys(tmp_path) == [key for key in sorted(all_keys([2, 1, 3])) if not key.startswith("s001")]
    path.write_text("{}")
    with pytest.raises(ValueError, match="is no 'vosr-shards-1' index"):
        locate(str(tmp_path))


def test_an_index_of_version_0_1_and_a_changed_shard_are_looked_through(tmp_path, caplog):
    write_shards_of(tmp_path, [2, 3])
    write_index(tmp_path, [IndexEntry("s000.tar", 2, 100, "a"), IndexEntry("s001.tar", 4, 200, "b", 7)])
    assert keys(tmp_path) == sorted(all_keys([2, 3]))
    assert "s001.tar: 3 samples where index.json has 4" in caplog.text


def test_what_was_found_in_an_archive_is_kept_until_it_changes(tmp_path, monkeypatch):
    path = write_tar(tmp_path / "x.tar", {"1.png": encoded_image(0)})
    assert keys(path) == ["x/1"]
    monkeypatch.setattr("data_pipelines.sources.index.scan", lambda *_: pytest.fail("looked through again"))
    assert keys(path) == ["x/1"]
    monkeypatch.setattr("data_pipelines.sources.index.scan", scan)
    write_tar(path, {"1.png": encoded_image(0), "2.png": encoded_image(1)})
    assert keys(path) == ["x/1", "x/2"]


def test_what_was_found_in_an_archive_that_is_replaced_meanwhile_is_not_kept_for_the_new_one(
    tmp_path, monkeypatch
):
    path = write_tar(tmp_path / "x.tar", {"1.png": encoded_image(0)})

    def scan_then_replace(*arguments):
        found = scan(*arguments)
        write_tar(path, {"1.png": encoded_image(0), "2.png": encoded_image(1)})
        return found

    monkeypatch.setattr("data_pipelines.sources.index.scan", scan_then_replace)
    locate(str(path))
    monkeypatch.setattr("data_pipelines.sources.index.scan", scan)
    assert keys(path) == ["x/1", "x/2"]


def test_samples_are_grouped_by_key_with_all_their_members(tmp_path):
    members = {
        "d/1.json": b"{}",
        "d/1.png": encoded_image(0),
        "d/2.hq.png": encoded_image(1),
        "d/2.lq.png": encoded_image(2),
        "__meta__.json": b"",
        "d/._2.png": b"",
        "@eaDir/1.png": b"",
    }
    read = samples(write_tar(tmp_path / "x.tar", members))
    assert [(sample.key, sorted(sample.members)) for sample in read] == [
        ("x/d/1", ["json", "png"]),
        ("x/d/2", ["hq.png", "lq.png"]),
    ]
    assert read[1].members["lq.png"] == encoded_image(2)


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_of_both_kinds(tmp_path, format):
    name = "d" * 120 + "/" + "ü" * 90 + ".png"
    with tarfile.open(tmp_path / "x.tar", "w", format=format) as archive:
        for number in (0, 1):
            info = tarfile.TarInfo(f"{number}{name}")
            info.size = len(encoded_image(number))
            archive.addfile(info, io.BytesIO(encoded_image(number)))
    read = samples(tmp_path / "x.tar")
    assert [sample.key for sample in read] == [f"x/{number}{name[:-4]}" for number in (0, 1)]
    assert [sample.members["png"] for sample in read] == [encoded_image(0), encoded_image(1)]


def test_links_and_devices_are_nothing(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("1.png", tarfile.SYMTYPE),
            ("2.png", tarfile.CHRTYPE),
            ("3.png", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("4.png")
        info.size = len(encoded_image(0))
        archive.addfile(info, io.BytesIO(encoded_image(0)))
    assert keys(path) == ["x/4"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b.c/d.e.JPG", ("a/b.c/d", "e.jpg")),
        ("x.png", ("x", "png")),
        ("x", ("x", "")),
        (".png", (".png", "")),
    ],
)
def test_split_key(name, expected):
    assert split_key(name) == expected
    assert split_key("a/0001.hq.PNG", "file") == ("a/0001.hq", "png")


def test_side_files():
    assert all(map(is_side_file, ["._a.jpg", "x/.hidden/a.jpg", "@eaDir/a.jpg", "__MACOSX/a.jpg", "__a.jpg"]))
    assert not any(map(is_side_file, ["./a.jpg", "a_b/__init.d/c.jpg", "../x/a.jpg"]))


@pytest.mark.parametrize(
    ("fields", "kinds", "expected"),
    [
        (Fields(), ["png", "json"], ("png", None)),
        (Fields(), ["lq.png", "hq.png"], ("hq.png", None)),
        (Fields(), ["lq.png", "gt.jpg"], ("gt.jpg", None)),
        (Fields(), ["depth.png", "mask.jpg", "jpg"], ("jpg", None)),
        (Fields(), ["5.png"], ("5.png", None)),
        (Fields(None, "lq"), ["lq.png", "hq.png"], ("hq.png", "lq.png")),
        (Fields("png", "jpg"), ["png", "jpg"], ("png", "jpg")),
        (Fields("sharp", "noisy"), ["noisy.png", "sharp.tif", "png"], ("sharp.tif", "noisy.png")),
    ],
)
def test_fields_are_named_or_follow_a_rule(fields, kinds, expected):
    assert fields.pick(kinds) == expected
    assert fields.pick(kinds[::-1]) == expected


@pytest.mark.parametrize("kinds", [["png", "jpg"], ["001.png", "002.png"], ["hq.png", "hq.jpg"]])
def test_images_that_no_rule_names_are_an_error(kinds):
    with pytest.raises(AmbiguousError, match="2 images"):
        Fields().pick(kinds)


def test_ambiguous_samples_are_shown_before_training_and_can_be_files(tmp_path):
    scans = write_tar(tmp_path / "scan.tar", {f"scan.{i:03d}.png": encoded_image(i) for i in range(30)})
    with pytest.raises(ValueError, match=r"'scan' of .*scan\.tar has 30 images .*--data\.key=file"):
        find_source([str(scans)])
    with pytest.raises(ValueError, match="30 images"):
        write_shards([str(scans)], str(tmp_path / "out"), processes=1)
    plan = make_plan(scans, key="file")
    assert sorted(keys_of(deliveries(plan, 30))) == [f"scan/scan.{i:03d}" for i in range(30)]


def test_unread_images_are_told(tmp_path, caplog):
    caplog.set_level("INFO")
    members = {f"{i}.{kind}.png": encoded_image(i) for i in range(3) for kind in ("hq", "lq")}
    find_source([str(write_tar(tmp_path / "x.tar", members))])
    assert "lq.png of 3 samples is not read; --data.lq=lq would train on these pairs" in caplog.text


def test_hidden_side_and_linked_files_of_a_folder(tmp_path, caplog):
    caplog.set_level("INFO")
    photos = tmp_path / "photos"
    for name in ("a.png", "album.jpg/b.png", "._a.png", "@eaDir/a.png", ".trash/c.png", "d.jfif", "e.jpe"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(encoded_image(0))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/f.png").write_bytes(encoded_image(1))
    (photos / "link").symlink_to(tmp_path / "elsewhere")
    (photos / "loop").symlink_to(photos)
    (photos / "self").symlink_to(photos / "self")
    (photos / "notes.txt").write_text("words")
    os.mkfifo(photos / "fifo.png")
    assert keys(photos) == ["a.png", "album.jpg/b.png", "d.jfif", "e.jpe", "link/f.png"]
    assert "5 images; passed over: 3 hidden or of tools" in caplog.text


def test_images_that_are_not_read_are_counted_and_named(tmp_path, caplog):
    photos = write_tar(tmp_path / "photos/a.tar", {"1.png": encoded_image(0)}).parent
    for name in ("a.png", "b.HEIC", "c.nef", "d.heic", "notes.txt"):
        (photos / name).write_bytes(encoded_image(0))
    assert len(keys(f"{photos}/*")) == 2
    assert "passed over 2 .heic, 1 .nef (such as b.HEIC): formats that are not read" in caplog.text
    caplog.clear()
    assert keys(photos) == ["a/1"]
    assert "passed over 1 .png (such as a.png) beside its archives" in caplog.text
    (photos / "a.tar").unlink()
    caplog.clear()
    assert keys(photos) == ["a.png"]
    assert "passed over 2 .heic, 1 .nef (such as b.HEIC): formats that are not read" in caplog.text


def test_compressed_archives_are_streams(tmp_path):
    path = write_tar(tmp_path / "x.tar", {"1.png": encoded_image(0)})
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    (sample,) = samples(tmp_path / "x.tar.gz")
    assert sample.members["png"] == encoded_image(0)
    plan = make_plan(tmp_path / "x.tar.gz")
    assert plan.sources[0].samples is None
    assert keys_of(deliveries(plan, 3)) == ["x/1"] * 3


def test_names_in_one_block_of_memory():
    names = ["a", "", "ü/ß.png", "\udcff"]
    assert [Names(names)[i] for i in range(4)] == names
    assert len(Names([])) == 0


def test_webdataset_reads_our_shards_and_we_read_its(tmp_path):
    for i in range(4):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / f"in/{i}.png").write_bytes(encoded_image(i))
    write_shards([str(tmp_path / "in")], str(tmp_path / "out"), processes=1)
    theirs = list(wds.WebDataset(str(tmp_path / "out/shard-000000.tar"), shardshuffle=False))
    assert sorted(sample["png"] for sample in theirs) == sorted(encoded_image(i) for i in range(4))
    with wds.ShardWriter(str(tmp_path / "w-%02d.tar"), maxcount=2, verbose=0) as writer:
        for i in range(4):
            writer.write({"__key__": f"k{i}", "hq.png": encoded_image(i, 16), "lq.png": encoded_image(i, 8)})
    module = ShardDataModule(
        str(tmp_path / "w-{00..01}.tar"), lq="lq", crop_size=8, batch_size=4, num_workers=0
    )
    (batch,) = module.train_dataloader()
    assert set(batch.key) == {"w-00/k0", "w-00/k1", "w-01/k2", "w-01/k3"}
    assert batch.lq.shape == batch.hq.shape == (4, 3, 8, 8)
