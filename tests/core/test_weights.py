import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vosr.core.weights import MissingWeightsError, Weights, load_strictly, read_tensors, weights_folder

SOURCE = Weights(
    title="thing",
    repo="owner/thing",
    file="sub/a.safetensors",
    shared=("thing/a.safetensors", "a.pth"),
    own=("a.safetensors", "inner/a.safetensors"),
    extra_files=("config.json",),
)


@pytest.fixture
def home(hub, tmp_path):
    (tmp_path / "weights" / "thing").mkdir(parents=True)
    return tmp_path / "weights"


def test_folder_of_weights_is_tried_before_the_hub(home, hub):
    assert weights_folder() == home
    (home / "a.pth").touch()
    assert SOURCE.locate() == home / "a.pth"
    (home / "thing" / "a.safetensors").touch()
    assert SOURCE.locate() == home / "thing" / "a.safetensors"
    assert hub.asked == []


def test_given_places(home, hub, tmp_path):
    own = tmp_path / "own"
    (own / "inner").mkdir(parents=True)
    with pytest.raises(MissingWeightsError, match=r"expected a.safetensors or inner/a.safetensors"):
        SOURCE.locate(str(own))
    file = own / "inner" / "a.safetensors"
    file.touch()
    assert SOURCE.locate(str(own)) == SOURCE.locate(str(file)) == file
    with pytest.raises(MissingWeightsError, match="no such file or folder"):
        SOURCE.locate(str(own / "b.safetensors"))
    assert hub.asked == []


def test_hub_is_asked_for_the_file_and_its_extra_files(home, hub):
    hub.repos["owner/thing"] = {"sub/a.safetensors": b"a", "sub/config.json": b"c"}
    assert SOURCE.locate() == home / "thing" / "a.safetensors"
    assert (home / "thing" / "config.json").read_bytes() == b"c"
    hub.repos["me/mine"] = {"inner/a.safetensors": b"b"}  # its extra file is a matter of luck
    assert SOURCE.locate("me/mine").read_bytes() == b"b"
    hub.repos.clear()
    assert SOURCE.locate("me/mine").read_bytes() == b"b"
    assert SOURCE.locate().read_bytes() == b"a"


def test_the_cache_of_the_hubs_client_is_looked_into(home, hub, tmp_path):
    commit = "0" * 40
    cache = tmp_path / "hub_cache" / "models--owner--thing"
    for path, text in ((f"snapshots/{commit}/sub/a.safetensors", "a"), ("refs/main", commit)):
        (cache / path).parent.mkdir(parents=True, exist_ok=True)
        (cache / path).write_text(text)
    assert SOURCE.locate() == cache / "snapshots" / commit / "sub" / "a.safetensors"
    assert hub.asked == []


def test_one_message_says_why_and_what_to_do(home, no_network):
    with pytest.raises(MissingWeightsError) as error:
        SOURCE.locate()
    for part in (
        "thing is not on this machine: HF_HUB_OFFLINE is set.",
        "sub/a.safetensors",
        "owner/thing",
        f"put it at {home / 'thing'}",
    ):
        assert part in str(error.value)


def test_unfit_weights_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    good = {"weight": torch.ones(2, 3), "bias": torch.ones(2)}
    for state, message in (
        ({"weight": good["weight"]}, "bias is missing"),
        (good | {"extra": torch.ones(1)}, "extra is unexpected"),
        (good | {"bias": torch.ones(3)}, r"bias is \(3,\), not \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            load_strictly(nn.Linear(3, 2), state, path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_loading_fills_a_module_built_without_memory_in_float32(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    state = {"weight": torch.randn(2, 3).bfloat16(), "bias": torch.randn(2)}
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    with torch.device("meta"):
        module = nn.Linear(3, 2)
    load_strictly(module, read_tensors(path), path)
    assert torch.equal(module.weight, state["weight"].float())
    assert module.weight.dtype == module.bias.dtype == torch.float32


def test_pickles_that_run_code_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": nn.Linear(1, 1)}, path)
    with pytest.raises(ValueError, match="not a readable file of weights"):
        read_tensors(path)
