"""Fixtures that several parts of the suite share."""

import pytest
import torch
from golden_files import Golden


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


@pytest.fixture(scope="session")
def relative_error():
    """Largest absolute difference over the largest absolute expected value."""

    def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
        return float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())

    return error
