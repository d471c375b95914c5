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
    companions=("config.json",),
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path / "home"))
    (tmp_path / "home" / "thing").mkdir(parents=True)
    return tmp_path / "home"


@pytest.fixture
def hub(monkeypatch):
    """A hub that records what is asked of it; ``files`` is what it holds."""

    class Hub:
        files: dict[tuple[str, str], str] = {}  # noqa: RUF012
        asked: list[tuple[str, str, bool]] = []  # noqa: RUF012
        answers = True

    hub = Hub()
    hub.files, hub.asked = {}, []

    def download(repo, file, local_files_only):
        hub.asked.append((repo, file, local_files_only))
        if local_files_only or (repo, file) not in hub.files:
            raise FileNotFoundError
        return hub.files[repo, file]

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("vosr.core.weights.locate._hub_answers", lambda: hub.answers)
    return hub


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


def test_hub_is_asked_for_the_file_and_its_companions(home, hub, tmp_path):
    hub.files = {("owner/thing", "sub/a.safetensors"): "/x/a", ("owner/thing", "sub/config.json"): "/x/c"}
    assert str(SOURCE.locate()) == "/x/a"
    assert ("owner/thing", "sub/config.json", False) in hub.asked
    hub.files = {("me/mine", "inner/a.safetensors"): "/y/a", ("me/mine", "inner/config.json"): "/y/c"}
    assert str(SOURCE.locate("me/mine")) == "/y/a"


def test_without_a_hub_only_its_cache_is_asked_and_one_message_says_all(home, hub):
    hub.answers = False
    with pytest.raises(MissingWeightsError) as error:
        SOURCE.locate()
    assert all(cached_only for _, _, cached_only in hub.asked)
    for part in ("thing is not on this machine", "sub/a.safetensors", "owner/thing", str(home / "thing")):
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
