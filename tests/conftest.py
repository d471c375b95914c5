"""Fixtures that several parts of the suite share."""

from collections import defaultdict

import pytest
import torch
from golden_files import Golden

GOLDEN_ERRORS = pytest.StashKey[dict[str, tuple[float, str]]]()
"""Largest relative error by golden file, and what it is of."""


@pytest.fixture(scope="session")
def golden():
    """Loader of golden files by name, cached."""
    files: dict[str, Golden] = {}

    def load(name: str) -> Golden:
        if name not in files:
            files[name] = Golden(name)
        return files[name]

    return load


@pytest.fixture(scope="session")
def golden_backbone(golden):
    """LightningDiT of a golden backbone file, sizes from its metadata, weights loaded strictly."""
    from vosr.backbones import LightningDiT

    def build(name: str) -> LightningDiT:
        file = golden(name)
        c = file.meta["config"]
        model = LightningDiT(
            latent_channels=c["latent_channels"],
            semantic_dim=c["semantic_dim"],
            width=c["hidden_size"],
            depth=c["depth"],
            heads=c["num_heads"],
            patch_size=c["patch_size"],
            latent_grid=c["latent_grid"],
            mlp_ratio=c["mlp_ratio"],
            semantic_ratio=c["encdim_ratio"],
            end_time=any(k.startswith("r_embedder.") for k in file.weights),
        )
        model.load_state_dict({k: v for k, v in file.weights.items() if not k.startswith("feat_rope.")})
        return model

    return build


@pytest.fixture
def report_golden(pytestconfig):
    """Notes an error to a part of a golden file; the largest of each file is told at the end of the run."""
    largest = pytestconfig.stash.setdefault(GOLDEN_ERRORS, defaultdict(lambda: (-1.0, "")))

    def report(name: str, key: str, error: float) -> None:
        largest[name] = max(largest[name], (error, key))

    return report


@pytest.fixture
def golden_error(golden, relative_error, report_golden):
    """Relative error to a tensor of a golden file, reported."""

    def error(name: str, key: str, actual: torch.Tensor) -> float:
        value = relative_error(actual, golden(name)[key])
        report_golden(name, key, value)
        return value

    return error


def pytest_terminal_summary(terminalreporter, config):
    largest = config.stash.get(GOLDEN_ERRORS, {})
    if largest:
        terminalreporter.section("largest relative error by golden file")
        for name, (value, key) in sorted(largest.items()):
            terminalreporter.write_line(f"{name:23} {value:.1e}  {key}")


@pytest.fixture(scope="session")
def relative_error():
    """Largest absolute difference over the largest absolute expected value."""

    def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
        return float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())

    return error


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub on this machine, and an empty folder of weights."""
    from hub_server import Hub

    from vosr.core.hub import failures

    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    failures._unreachable.clear()
    yield server
    server.close()
    failures._unreachable.clear()


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """The hub's client may not ask anybody, and nothing is in its cache or in the folder of weights."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub_cache"))
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"
