"""A model folder that somebody else made chooses tensors and sizes, never code."""

import contextlib
import copy
import json
import os
import pickle
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from models import small_model
from safetensors.torch import save_file
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, Metadata

from vosr.checkpoints import load_model, save_model
from vosr.checkpoints.catalogue import shipped_names
from vosr.checkpoints.find import spelled
from vosr.checkpoints.shard_index import INDEX, read_weight_index
from vosr.checkpoints.training_state import full_tensor, newest, read_shards, write_file, write_sharded
from vosr.core.registry import Registry, UnknownNameError, UntrustedCodeError
from vosr.core.weights import MissingWeightsError
from vosr.encoders import ENCODERS
from vosr.guidance import GUIDANCE, RestorationGuidance


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A stranger's folder to stand in; ``evil`` there leaves a trace when it is imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text(
        "import pathlib\nfrom vosr.encoders import NoEncoder\npathlib.Path('ran').touch()\n"
        "class Encoder(NoEncoder):\n    pass\n"
    )
    yield tmp_path
    sys.modules.pop("evil", None)


def evil_folder(folder):
    save_model(small_model(), folder)
    record = json.loads((folder / "config.json").read_text())
    record["encoder"]["name"] = "evil.Encoder"
    (folder / "config.json").write_text(json.dumps(record))
    return folder


def test_shipped_names_win_over_folders_here(here, caplog):
    evil_folder(here / "vosr_small_student")
    assert load_model("vosr_small_student").conditioner.encoder.dim > 0
    assert not (here / "ran").exists()
    assert "the folder here is ./vosr_small_student" in caplog.text
    for folder in ("./vosr_small_student", Path("vosr_small_student")):
        with pytest.raises(UntrustedCodeError):
            load_model(folder)
    assert not (here / "ran").exists()


def test_released_names_win_over_folders_here(here, no_network):
    evil_folder(here / "CSWRY/VOSR/VOSR_0.5B_os")
    with pytest.raises(MissingWeightsError, match=f"put at {no_network}/VOSR_0.5B_os/args.json"):
        load_model("CSWRY/VOSR/VOSR_0.5B_os")


def test_folders_are_printed_so_that_they_are_folders():
    assert [spelled(Path(p)) for p in ("a", "runs/a", "/a", "../a")] == ["./a", "./runs/a", "/a", "../a"]
    assert spelled(Path("vosr_small_student")) not in shipped_names()


def test_dotted_paths_take_trust_and_say_what_they_would_import(here):
    folder = evil_folder(here / "model")
    with pytest.raises(
        UntrustedCodeError, match=r"encoder 'evil\.Encoder'.*'evil' would be imported.*--trust_remote_code"
    ):
        load_model(folder)
    assert not (here / "ran").exists()
    load_model(folder, trust_remote_code=True)
    assert (here / "ran").exists()


def test_weights_come_from_safetensors_and_from_checkpoints_only_where_asked_for(here):
    run = here / "runs/x/001"
    save_model(small_model(), run / "model")
    state = small_model().backbone.state_dict()
    (run / "checkpoints").mkdir()
    write_file({"state_dict": {f"average.{k}": v for k, v in state.items()}}, run / "checkpoints/a.ckpt")
    (run / "model/model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"export --model .*/001"):
        load_model(run)
    assert load_model(run, checkpoints=True).backbone is not None


class Runs:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def sharded(folder):
    write_sharded({"state_dict": {"average.w": torch.arange(6.0), "w": torch.ones(2)}}, folder)
    return folder


def test_the_index_of_shards_reads_back(tmp_path):
    checkpoint = read_shards(sharded(tmp_path / "a.ckpt"), full_tensor)
    assert torch.equal(checkpoint["state_dict"]["average.w"], torch.arange(6.0))


def bytes_of(found):
    found.state_dict_metadata["state_dict/average.w"] = BytesStorageMetadata()


def elsewhere(found):
    next(iter(found.storage_data.values())).relative_path = "../other.distcp"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: Runs(), "mkdir, which no index holds"),
        (lambda found: Metadata({"x": Runs()}), "mkdir, which no index holds"),
        (bytes_of, "is no tensor"),
        (elsewhere, "not beside it"),
        (lambda found: 5, "it is a int"),
    ],
)
def test_an_index_runs_nothing(here, change, message):
    folder = sharded(here / "a.ckpt")
    found = read_weight_index(folder)
    (folder / INDEX).write_bytes(pickle.dumps(change(found) or found))
    with pytest.raises(ValueError, match=message):
        read_shards(folder, full_tensor)
    assert not (here / "ran").exists()


@pytest.mark.parametrize("damage", ["byte", "part", "index", "plain"])
def test_a_damaged_checkpoint_gives_way_to_an_older_one(tmp_path, damage, caplog):
    write_file({"state_dict": {"w": torch.arange(1000.0)}}, tmp_path / "old.ckpt")
    if damage == "byte":
        new = tmp_path / "new.ckpt"
        write_file({"state_dict": {"w": torch.arange(1000.0)}}, new)
        content = bytearray(new.read_bytes())
        content[content.index(torch.arange(500.0, 510.0).numpy().tobytes())] ^= 1
        new.write_bytes(content)
    else:
        new = sharded(tmp_path / "new.ckpt")
        part = {"part": next(new.glob("*.distcp")), "index": new / INDEX, "plain": new / "plain.pt"}[damage]
        part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    os.utime(tmp_path / "old.ckpt", (1, 1))
    assert newest([tmp_path / "old.ckpt", new]) == tmp_path / "old.ckpt"
    assert "an older checkpoint is taken" in caplog.text


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"checkpoint_path": "evil.pth"}, "not 'checkpoint_path'"),
        ({"pretrained_cfg_overlay": {"url": "http://x"}}, "not 'pretrained_cfg_overlay'"),
        ({"depth": 10**6}, "depth must be a number up to"),
        ({"embed_dim": "x"}, "embed_dim must be a number"),
    ],
)
def test_encoders_pass_sizes_to_timm_and_nothing_else(overrides, message):
    with pytest.raises(ValueError, match=message):
        ENCODERS.build("dinov2", pretrained=False, overrides=overrides)


def test_a_broken_plugin_is_named_and_passed_over(monkeypatch, caplog):
    class Point:
        name, value = "glitter", "glitter.guidance:Glitter"

        @staticmethod
        def load():
            raise RuntimeError("no CUDA here")

    monkeypatch.setattr("vosr.core.registry.registry.entry_points", lambda group: [Point])
    registry = Registry("guidance", GUIDANCE.base)
    registry.add("restoration", RestorationGuidance)
    assert registry.get("restoration") is RestorationGuidance
    assert "The plug-in glitter (glitter.guidance:Glitter) is passed over: no CUDA here." in caplog.text
    with pytest.raises(UnknownNameError, match="The plug-in of that name failed: no CUDA here"):
        registry.get("glitter")


@pytest.fixture(scope="module")
def record_and_weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(small_model(), folder)
    return json.loads((folder / "config.json").read_text()), folder


def leaves(value, path=()):
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(one, (*path, key))
    yield path


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([10**9, -1, 0, 2**24, 1e308, "os.system", "dct", "../x", "\x1b[31m", "1" * 5000, "evil.Encoder"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=60, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_record_gives_a_model_or_one_kind_of_error(record_and_weights, data):
    """Bounded fuzzing: whatever stands in config.json, no code, no other exception, no long wait."""
    original, folder = record_and_weights
    record = copy.deepcopy(original)
    for path in data.draw(st.lists(st.sampled_from(list(leaves(original))[:-1]), min_size=1, max_size=3)):
        place = record
        for key in path[:-1]:
            place = place[key] if isinstance(place, dict | list) and _has(place, key) else {}
        if isinstance(place, dict | list) and path and _has(place, path[-1]):
            place[path[-1]] = data.draw(ANYTHING)
    (folder / "config.json").write_text(json.dumps(record))
    _opened(folder)


def _has(place, key):
    return key in place if isinstance(place, dict) else isinstance(key, int) and key < len(place)


def _opened(folder):
    start = time.monotonic()
    with contextlib.suppress(ValueError, OSError):
        load_model(folder)
    assert time.monotonic() - start < 4
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "text",
    ["", "[]", "1", '"x"', "[" * 100_000, '{"format": NaN}', '{"format": "vosr/1"}', "\xff", '{"a":' * 3000],
)
def test_records_that_are_none(record_and_weights, text):
    _, folder = record_and_weights
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"config\.json"):
        load_model(folder)


def test_depths_without_end_are_not_built(record_and_weights):
    record, folder = record_and_weights
    record = copy.deepcopy(record)
    record["backbone"]["args"]["depth"] = 10**6
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="says depth 1000000"):
        load_model(folder)


def test_a_released_folder_is_checked_likewise(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    save_file({"x": torch.zeros(1)}, tmp_path / "checkpoints/ema_model.safetensors")
    for args in ([], {"ae_type": "sd2"}, {"dim": []}, "x"):
        (tmp_path / "args.json").write_text(json.dumps(args))
        with pytest.raises(ValueError, match=r"args\.json"):
            load_model(tmp_path)
