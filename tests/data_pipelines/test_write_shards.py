"""The shards command: original bytes, filters, duplicates, tiles, and an interrupted run."""

import hashlib
import io
import json
import os
import signal
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from shard_files import encoded_image, write_tar

from data_pipelines.shards import parts, write, write_shards
from data_pipelines.shards.duplicates import Duplicates
from data_pipelines.shards.examine import examine
from data_pipelines.shards.measure import entropy, gradient_energy, grey_values, perceptual_hash
from data_pipelines.sources import locate
from vosr.core.files.lock import locked


def smooth(seed, side=64):
    """An image with structure that survives resizing."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def save(path, image, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **more)


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    for i in range(10):
        save(folder / f"holiday/{i}.png", smooth(i))
    return folder


def packed(out):
    return {
        sample.key.rpartition("/")[2].partition("-")[2]: sample
        for shard in locate(str(out)).shards
        for sample in (shard.read(i) for i in range(len(shard)))
    }


def index(out):
    return json.loads((out / "index.json").read_text())


def dropped(out):
    return [line.split("\t")[:2] for line in (out / "dropped.tsv").read_text().splitlines()[1:]]


def test_original_bytes_index_and_names(photographs, tmp_path):
    out = tmp_path / "out"
    assert write_shards([str(photographs)], str(out), max_samples=4, processes=1) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "dropped.tsv", "index.json", "shard-000000.tar", "shard-000001.tar", "shard-000002.tar",
    ]  # fmt: skip
    samples = packed(out)
    assert sorted(samples) == [str(i) for i in range(10)]
    for i in range(10):
        assert samples[str(i)].members == {"png": (photographs / f"holiday/{i}.png").read_bytes()}
    content = index(out)
    assert (content["samples"], content["inputs"], content["dropped"]) == (10, 10, {})
    assert [entry["samples"] for entry in content["shards"]] == [4, 4, 2]
    for entry in content["shards"]:
        archive = (out / entry["name"]).read_bytes()
        assert (entry["bytes"], entry["sha256"]) == (len(archive), hashlib.sha256(archive).hexdigest())
        assert entry["pixels"] == entry["samples"] * 64 * 64
        assert len(entry["blocks"]) == entry["samples"]
        assert sum(entry["blocks"]) * 512 < entry["bytes"]
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            assert len(opened.getnames()) == entry["samples"]


def test_result_does_not_depend_on_processes(photographs, tmp_path):
    for processes in (1, 2):
        write_shards([str(photographs)], str(tmp_path / str(processes)), max_samples=3, processes=processes)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_order_is_shuffled_by_seed_or_kept(photographs, tmp_path):
    orders = []
    for name, seed in (("a", 0), ("b", 1), ("c", None)):
        write_shards([str(photographs)], str(tmp_path / name), shuffle_seed=seed, processes=1)
        orders.append(list(packed(tmp_path / name)))
    assert orders[0] != orders[1]
    assert orders[2] == [str(i) for i in range(10)]


def test_shards_are_cut_by_size(photographs, tmp_path):
    size = (photographs / "holiday/0.png").stat().st_size
    write_shards([str(photographs)], str(tmp_path / "out"), max_megabytes=2.5 * size / 1e6, processes=1)
    assert max(entry["samples"] for entry in index(tmp_path / "out")["shards"]) == 3


def test_filters_and_their_report(photographs, tmp_path):
    save(photographs / "tiny.png", smooth(50, 20))
    save(photographs / "flat.png", Image.new("RGB", (64, 64), "grey"))
    half = np.zeros((64, 64, 3), np.uint8)
    half[::2] = 255
    save(photographs / "stripes.png", Image.fromarray(half))  # steep, and yet of one bit
    (photographs / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (photographs / "copy.png").write_bytes((photographs / "holiday/3.png").read_bytes())
    save(photographs / "resized.jpg", smooth(4).resize((50, 50)), quality=80)
    out = tmp_path / "out"
    write_shards(
        [str(photographs)], str(out), min_side=32, min_gradient=0.5, min_entropy=3, near_duplicates=6,
        processes=1, shuffle_seed=None,
    )  # fmt: skip
    reasons = {str(Path(name).relative_to(photographs)): reason for name, reason in dropped(out)}
    assert reasons.pop("broken.jpg") in ("not_an_image", "damaged_image")
    assert reasons == {
        "tiny.png": "below_min_side", "flat.png": "below_min_gradient", "stripes.png": "below_min_entropy",
        "holiday/3.png": "duplicate", "resized.jpg": "near_duplicate",
    }  # fmt: skip
    assert index(out)["dropped"]["near_duplicate"] == 1
    assert index(out)["samples"] == 10


def test_duplicates_can_be_kept(photographs, tmp_path):
    (photographs / "copy.png").write_bytes((photographs / "holiday/3.png").read_bytes())
    write_shards([str(photographs)], str(tmp_path / "out"), keep_duplicates=True, processes=1)
    assert index(tmp_path / "out")["samples"] == 11


def test_large_images_are_cut_into_tiles(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (70, 110, 3), dtype=np.uint8)
    save(tmp_path / "in/wide.png", Image.fromarray(noise))
    save(tmp_path / "in/single.png", smooth(1, 40))
    write_shards([str(tmp_path / "in")], str(tmp_path / "out"), tile=32, processes=1)
    samples = packed(tmp_path / "out")
    assert sorted(samples) == ["single", *sorted(f"wide-x{x}-y{y}" for x in (7, 39, 71) for y in (3, 35))]
    ((kind, encoded),) = samples["wide-x39-y35"].members.items()
    assert kind == "webp"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encoded))), noise[35:67, 39:71])
    assert list(samples["single"].members) == ["png"]


def test_shards_are_packed_anew_with_all_members(tmp_path):
    members = {"1.png": encoded_image(1, 32), "1.json": b'{"x": 1}', "2.txt": b"alone", "3.jpg": b""}
    source = write_tar(tmp_path / "old.tar", members)
    write_shards([str(source)], str(tmp_path / "out"), processes=1)
    (sample,) = packed(tmp_path / "out").values()
    assert sample.members == {"png": members["1.png"], "json": members["1.json"]}
    assert dropped(tmp_path / "out") == [["old/2", "no_image_in_sample"], ["old/3", "empty_file"]]


def test_pairs_are_packed_whole_and_not_torn_apart(tmp_path):
    members = {f"{i}.{kind}.png": encoded_image(i, 40) for i in range(2) for kind in ("hq", "lq")}
    source = str(write_tar(tmp_path / "old.tar", members))
    write_shards([source], str(tmp_path / "out"), processes=1, keep_duplicates=True)
    assert {k: sorted(s.members) for k, s in packed(tmp_path / "out").items()} == {
        "0": ["hq.png", "lq.png"], "1": ["hq.png", "lq.png"],
    }  # fmt: skip
    with pytest.raises(ValueError, match="2 several_images"):
        write_shards([source], str(tmp_path / "tiles"), tile=16, processes=1)


def test_interrupted_run_goes_on_and_ends_the_same(photographs, tmp_path, monkeypatch):
    from data_pipelines.shards import packer

    (photographs / "copy.png").write_bytes((photographs / "holiday/0.png").read_bytes())
    arguments = {"max_samples": 3, "min_entropy": 1, "processes": 1}
    write_shards([str(photographs)], str(tmp_path / "whole"), **arguments)
    finish, calls = packer.Packer.finish, []

    def dies(self):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return finish(self)

    monkeypatch.setattr(packer.Packer, "finish", dies)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write_shards([str(photographs)], str(out), **arguments)
    assert (out / "journal.jsonl").exists()
    assert not (out / "index.json").exists()
    first = (out / "shard-000000.tar").stat().st_mtime_ns
    with (out / "journal.jsonl").open("a") as journal:
        journal.write('{"inputs": 9, "sha')  # the power went while this was written
    monkeypatch.setattr(packer.Packer, "finish", finish)
    write_shards([str(photographs)], str(out), **arguments)
    assert (out / "shard-000000.tar").stat().st_mtime_ns == first
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "whole").iterdir()
    }


def test_a_finished_folder_is_left_alone_and_other_options_refused(photographs, tmp_path):
    out = tmp_path / "out"
    write_shards([str(photographs)], str(out), processes=1)
    before = (out / "shard-000000.tar").stat().st_mtime_ns
    write_shards([str(photographs)], str(out), processes=1)
    assert (out / "shard-000000.tar").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="other sources or options"):
        write_shards([str(photographs)], str(out), min_side=20, processes=1)


def test_nothing_to_pack_is_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="No data at"):
        write_shards([str(tmp_path / "nothing")], str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    save(tmp_path / "in/flat.png", Image.new("RGB", (64, 64)))
    with pytest.raises(ValueError, match=r"No image is left to pack \(1 below_min_entropy\)"):
        write_shards([str(tmp_path / "in")], str(tmp_path / "out"), min_entropy=1, processes=1)


def test_measures_of_known_images():
    flat = np.full((32, 32, 3), 90, np.uint8)
    assert gradient_energy(grey_values(flat)) == 0
    assert entropy(grey_values(flat)) == 0
    ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    assert entropy(ramp) == pytest.approx(8)
    assert gradient_energy(ramp) == pytest.approx(0.5)  # 1 across, 0 down


def test_hash_is_stable_under_small_changes():
    grey = grey_values(np.asarray(smooth(0, 128)))
    buffer = io.BytesIO()
    smooth(0, 128).resize((96, 96)).save(buffer, "JPEG", quality=60)
    copy = grey_values(np.asarray(Image.open(buffer)))
    brighter = np.clip(grey.astype(int) + 12, 0, 255).astype(np.uint8)
    assert (perceptual_hash(grey) ^ perceptual_hash(copy)).bit_count() <= 4
    assert (perceptual_hash(grey) ^ perceptual_hash(brighter)).bit_count() <= 6
    others = [
        (perceptual_hash(grey) ^ perceptual_hash(grey_values(np.asarray(smooth(i))))).bit_count()
        for i in range(1, 30)
    ]
    assert min(others) > 10


@settings(max_examples=60)
@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=12), st.integers(0, 12))
def test_near_duplicates_are_found_exactly_within_the_distance(value, flips, bits):
    memory = Duplicates(exact=False, bits=bits)
    memory.remember("x", value)
    other = value
    for flip in flips:
        other ^= 1 << flip
    assert (memory.reason("y", other) == "near_duplicate") == (len(flips) <= bits)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_samples": 0},
        {"max_megabytes": 0},
        {"tile": 3},
        {"min_entropy": 9},
        {"near_duplicates": 40},
        {"processes": -1},
    ],
)
def test_nonsense_is_refused(photographs, tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_shards([str(photographs)], str(tmp_path / "out"), **wrong)
    assert not (tmp_path / "out").exists()


def test_two_runs_never_write_into_one_folder(photographs, tmp_path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(ValueError, match="Another process is writing in"):
        write_shards([str(photographs)], str(tmp_path / "out"), processes=1)
    assert list((tmp_path / "out").iterdir()) == []


def test_shards_of_others_are_not_overwritten(photographs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/shard-000000.tar").write_bytes(b"precious")
    with pytest.raises(ValueError, match=r"holds shard-000000\.tar, which this run has not written"):
        write_shards([str(photographs)], str(tmp_path / "out"), processes=1)
    assert (tmp_path / "out/shard-000000.tar").read_bytes() == b"precious"


def deadly(one, options):
    if b"deadly" in os.fsencode(one.name):
        os.kill(os.getpid(), signal.SIGKILL)
    return examine(one, options)


def test_a_worker_that_dies_costs_its_own_image_only(photographs, tmp_path, monkeypatch):
    (photographs / "deadly.png").write_bytes((photographs / "holiday/0.png").read_bytes() + b"x")
    deadly.__module__ = __name__
    monkeypatch.setattr(write, "examine", deadly)
    out = tmp_path / "out"
    assert write_shards([str(photographs)], str(out), processes=1) == 0
    assert dropped(out) == [[str(photographs / "deadly.png"), "damaged_image"]]
    assert index(out)["samples"] == 10


def test_odd_names_pipes_devices_and_links_end_nothing(photographs, tmp_path):
    strange = os.fsdecode(b"\xff\xe9[red].png")
    (photographs / strange).write_bytes(encoded_image(1, 32))
    (photographs / os.fsdecode(b"\xfe.png")).write_bytes(b"no image")
    os.mkfifo(photographs / "pipe.png")
    (photographs / "device.png").symlink_to("/dev/zero")
    (photographs / "self.png").symlink_to("self.png")
    with (photographs / "holes.png").open("wb") as file:
        file.truncate(2**40)
    out = tmp_path / "out"
    assert write_shards([str(photographs)], str(out), processes=1) == 0
    assert index(out)["samples"] == 11
    assert sorted(row[0].rpartition("/")[2] for row in dropped(out)) == [r"\xfe.png", "holes.png"]
    assert any("xff" in name for name in packed(out))


def test_members_that_webdataset_would_lose_are_told(tmp_path):
    members = {
        "1.png": encoded_image(1, 32),
        "1.__key__": b"evil",
        "1." + "x" * 40: b"long",
        "1.txt": b"kept",
    }
    write_tar(tmp_path / "in.tar", members)
    write_shards([str(tmp_path / "in.tar")], str(tmp_path / "out"), processes=1)
    (sample,) = packed(tmp_path / "out").values()
    assert sample.members == {"png": members["1.png"], "txt": b"kept"}
    assert [row[1] for row in dropped(tmp_path / "out")] == ["member_left_out"] * 2


@pytest.mark.parametrize("last", [0, 1, 2])
def test_parts_together_are_one_folder(photographs, tmp_path, last, capsys):
    save(photographs / "tiny.png", smooth(50, 20))
    out, whole, order = (
        tmp_path / "out",
        tmp_path / "whole",
        [part for part in range(3) if part != last] + [last],
    )
    options = {"max_samples": 3, "min_side": 32, "processes": 1}
    write_shards([str(photographs)], str(whole), **options)
    for part in order[:-1]:
        write_shards([str(photographs)], str(out), shard=f"{part + 1}/3", **options)
        assert not (out / "index.json").exists()
    assert "the last one to end makes the index" in capsys.readouterr().out
    write_shards([str(photographs)], str(out), shard=f"{last + 1}/3", **options)
    assert not list(out.glob("part-*"))
    assert {name: sample.members for name, sample in packed(out).items()} == {
        name: sample.members for name, sample in packed(whole).items()
    }
    for key in ("samples", "inputs", "dropped", "sources", "options"):
        assert index(out)[key] == index(whole)[key]
    assert dropped(out) == dropped(whole)
    keys = [shard.read(i).key for shard in locate(str(out)).shards for i in range(len(shard))]
    assert len(set(keys)) == 10
    before = sorted((path.name, path.stat().st_mtime_ns) for path in out.iterdir())
    assert write_shards([str(photographs)], str(out), shard="2/3", **options) == 0  # only reports
    assert sorted((path.name, path.stat().st_mtime_ns) for path in out.iterdir()) == before


def test_a_merge_that_was_interrupted_is_finished(photographs, tmp_path, monkeypatch):
    out, options = tmp_path / "out", {"max_samples": 2, "processes": 1}
    write_shards([str(photographs)], str(out), shard="1/2", **options)

    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "write_index", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_shards([str(photographs)], str(out), shard="2/2", **options)
    monkeypatch.undo()
    assert write_shards([str(photographs)], str(out), shard="1/2", **options) == 0
    assert sorted(packed(out)) == [str(i) for i in range(10)]


def test_a_part_may_hold_nothing(tmp_path):
    save(tmp_path / "in/one.png", smooth(1))
    for part in ("1/2", "2/2"):
        write_shards([str(tmp_path / "in")], str(tmp_path / "out"), shard=part, processes=1)
    assert sorted(packed(tmp_path / "out")) == ["one"]
