"""Names of models: on this machine, in the folder of weights, on a hub."""

import shutil

import pytest
import torch
from models import small_model
from released_folders import write_frozen_parts, write_model

from vosr.checkpoints import load_model, save_model
from vosr.checkpoints.catalogue import RELEASES
from vosr.checkpoints.find import find_model, is_hub_id, local_names
from vosr.cli import main
from vosr.core.weights import MissingWeightsError


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    write_frozen_parts(folder)
    write_model(folder, "VOSR_0.5B_os")
    return folder


@pytest.fixture
def release(hub, released):
    """A hub with one released model, its autoencoder and a DINOv2 of a few bytes."""
    hub.repos["CSWRY/VOSR"] = content(released)
    hub.repos["timm/vit_base_patch14_dinov2.lvd142m"] = {"model.safetensors": b"tokens"}
    return hub


def test_names_that_are_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    names = ("me/mine", "me/mine/sub", "CSWRY/VOSR/VOSR2", "runs/teacher", "./me/mine", "/me/mine", "mine",
             "me/../../x", "me/mine/..", "a//b")  # fmt: skip
    assert [name for name in names if is_hub_id(name)] == list(names[:3])


def test_parameters_of_releases_are_those_of_their_networks():
    from vosr.backbones import LightningDiT

    sizes = {"sd2": (4, 768, 1024, 28, 16), "qwen": (16, 1024, 1536, 36, 24)}
    for release in RELEASES.values():
        with torch.device("meta"):
            backbone = LightningDiT(
                *sizes[release.ae_type], latent_grid=64, end_time=release.name.endswith("_os")
            )
        assert sum(p.numel() for p in backbone.parameters()) == release.parameters, release.name


def test_a_short_name_downloads_all_parts_and_opens_without_the_hub(release, tmp_path, released):
    weights = tmp_path / "weights"
    shutil.copytree(released / "torch_cache", weights / "torch_cache")  # the tiny DINOv2 has another layout
    model = load_model("VOSR_0.5B_os")
    assert (weights / "VOSR_0.5B_os/args.json").is_file()
    assert (weights / "stable-diffusion-2-1-base/vae/config.json").is_file()
    release.repos.clear()
    again = load_model("CSWRY/VOSR/VOSR_0.5B_os")
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in model.state_dict().items())
    assert local_names() == ["VOSR_0.5B_os"]


def test_reasons_stand_with_their_parts(release):
    release.faults["sd21_lwdecoder.pth"] = 403
    del release.repos["timm/vit_base_patch14_dinov2.lvd142m"]
    with pytest.raises(MissingWeightsError) as error:
        load_model("VOSR_0.5B_os")
    message = str(error.value)
    assert "light decoder: sd21_lwdecoder.pth" in message
    assert "refuses access to CSWRY/VOSR (403)" in message
    assert "no repository 'timm/vit_base_patch14_dinov2.lvd142m'" in message
    assert "Stable Diffusion" not in message  # it was to be had


def test_published_models_open_by_their_repository(hub, tmp_path):
    model = small_model()
    save_model(model, tmp_path / "made")
    hub.repos["me/mine"] = content(tmp_path / "made")
    hub.repos["me/many"] = {f"a/{name}": data for name, data in content(tmp_path / "made").items()}
    for name in ("me/mine", "me/many/a"):
        opened = load_model(name)
        assert find_model(name) == tmp_path / "weights" / name
        assert all(torch.equal(opened.state_dict()[key], value) for key, value in model.state_dict().items())
    hub.close()
    load_model("me/mine")
    assert local_names() == ["me/many/a", "me/mine"]


def test_names_that_are_nowhere(hub, tmp_path):
    hub.repos["me/many"] = {"small/config.json": b"{}", "small/model.safetensors": b""}
    with pytest.raises(MissingWeightsError, match=r"me/many has no model 'small1'.* Did you mean small\?"):
        load_model("me/many/small1")
    with pytest.raises(
        MissingWeightsError, match=r"no such folder here, and .* has no repository 'you/none'"
    ):
        load_model("you/none")
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'VOSR_0\.5B_os'"):
        load_model("VOSR_0.5_os")
    assert not (tmp_path / "weights").exists()


def test_download_fetches_verifies_and_says_where(release, tmp_path, capsys):
    assert main(["download", "VOSR_0.5B_os"]) == 0
    weights = tmp_path / "weights"
    assert (weights / "vit_base_patch14_dinov2.lvd142m/model.safetensors").read_bytes() == b"tokens"
    fetched = content(weights)
    assert "sd21_lwdecoder.pth" in fetched
    assert not [name for name in fetched if name.endswith((".part", ".lock"))]
    capsys.readouterr()
    assert main(["download", "VOSR_0.5B_os"]) == 0
    assert capsys.readouterr().err.count("verified") == 6
    (weights / "sd21_lwdecoder.pth").write_bytes(b"mine")
    assert main(["download", "VOSR_0.5B_os"]) == 1
    assert "sd21_lwdecoder.pth is not what the hub holds" in capsys.readouterr().err
    assert (weights / "sd21_lwdecoder.pth").read_bytes() == b"mine"


def test_download_tells_of_names_and_of_the_network(hub, capsys):
    for name, words in (("VOSR_0.5B_oss", "Did you mean VOSR_0.5B_os"), ("me/none", "has no repository")):
        with pytest.raises(SystemExit):
            main(["download", name])
        assert words in capsys.readouterr().err
    hub.close()
    with pytest.raises(SystemExit):
        main(["download", "VOSR2"])
    assert f"{hub.url} cannot be reached" in capsys.readouterr().err


def test_models_lists_what_there_is_and_where(release, tmp_path, capsys):
    save_model(small_model(), tmp_path / "weights/me/mine")
    (tmp_path / "weights/me/mine/README.md").write_text("---\nlicense: mit\n---\n")
    save_model(small_model(), tmp_path / "runs/a/001/model")
    assert main(["models", "--runs", str(tmp_path / "runs")]) == 0
    out = capsys.readouterr().out
    for words in (
        "vosr_small_student   2.9 M parameters",
        "me/mine   0.0 M parameters",
        ", mit",
        f"{tmp_path}/runs/a/001",
        "VOSR_1.4B_os   student, 1397 M parameters",
        "not here, CreativeML Open RAIL++-M: stable-diffusion-2-1-base/vae/diffusion_pytorch_model.safetensors",
    ):
        assert words in out, words
