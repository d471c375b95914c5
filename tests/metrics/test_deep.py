"""Metrics with a network: random-weights twins against independent implementations, and what is said without files."""

import sys
import types

import piq
import pytest
import torch
import torch.nn.functional as F
import torchmetrics.functional.image.dists as torchmetrics_dists
from torch import nn
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from vosr.core.weights import MissingWeightsError, read_tensors
from vosr.metrics import METRICS, clip_iqa, inception, lpips
from vosr.metrics.protocol import eight_bit

DEEP = ["lpips", "lpips_vgg", "dists", "vgg_features", "clip_iqa", "fid", "kid"]


@pytest.fixture(autouse=True)
def no_files(tmp_path, monkeypatch):
    """Neither weights nor a network, whatever this machine has."""
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("vosr.metrics.deep._answers", lambda url: False)


@pytest.fixture(scope="module")
def pair():
    image = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    return eight_bit(F.avg_pool2d(image, 3, 1, 1)), eight_bit(image)


@pytest.mark.parametrize(("name", "backbone"), [("lpips", "alex"), ("lpips_vgg", "vgg")])
def test_lpips_of_torchmetrics(name, backbone, pair, tmp_path):
    theirs = _LPIPS(net=backbone, pnet_rand=True)
    features = {f"features.{k.split('.', 1)[1]}": v for k, v in theirs.net.state_dict().items()}
    path = tmp_path / "backbone.pth"
    torch.save(features | {"classifier.6.bias": torch.zeros(3)}, path)
    metric = METRICS.build(name, weights=path)
    expected = theirs(*pair, normalize=True).flatten()
    torch.testing.assert_close(metric.measure(*pair), expected, rtol=1e-4, atol=1e-6)
    assert (expected > 1e-3).all()


def test_dists_of_torchmetrics(pair, tmp_path, monkeypatch):
    vgg = nn.Module()
    vgg.features = lpips.torchvision_features("vgg")
    torch.manual_seed(0)
    for parameter in vgg.parameters():
        nn.init.normal_(parameter, std=0.05)
    torch.save(vgg.state_dict(), tmp_path / "vgg.pth")
    metric = METRICS.build("dists", weights=tmp_path / "vgg.pth")
    monkeypatch.setattr(torchmetrics_dists, "vgg16", lambda weights: vgg)
    heads = read_tensors(torchmetrics_dists._PATH_WEIGHT_DISTS)
    theirs = torchmetrics_dists.DISTSNetwork(load_weights=False)
    theirs.alpha.data, theirs.beta.data = heads["alpha"], heads["beta"]
    torch.testing.assert_close(metric.measure(*pair), theirs(*pair), rtol=1e-4, atol=1e-5)


class Statistics(nn.Module):
    """Mean and std of each channel, in place of Inception."""

    num_features = 6

    def forward(self, images):
        x = images.double().flatten(2) / 255
        return torch.cat([x.mean(2), x.std(2)], 1).float()


def test_fid_and_kid_of_torchmetrics_over_patches(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(6, 3, 64, 32, generator=generator) ** 2
    restored = reference * 0.8 + 0.05
    monkeypatch.setattr(inception, "inception", nn.Identity)
    monkeypatch.setattr(inception, "Features", lambda network: Statistics())
    fid, kid = (METRICS.build(name, patch=32, pretrained=False) for name in ("fid", "kid"))
    tiles = [
        torch.cat([x[..., top : top + 32, :] for top in (0, 32)]).mul(255).round().to(torch.uint8)
        for x in (restored, reference)
    ]
    theirs = FrechetInceptionDistance(feature=Statistics())
    kernel = KernelInceptionDistance(feature=Statistics(), subset_size=12, subsets=1)
    for other in (theirs, kernel):
        other.update(tiles[0], real=False)
        other.update(tiles[1], real=True)
    for metric in (fid, kid):
        assert metric.compute().isnan()
        metric.update(restored[:2], reference[:2])
        metric.update(restored[2:], reference[2:])
    assert fid.compute().item() == pytest.approx(theirs.compute().item(), abs=1e-4)
    assert kid.compute().item() / 1000 == pytest.approx(kernel.compute()[0].item(), abs=1e-4)
    fid.reset()
    fid.update(reference, reference)
    assert fid.compute().item() == pytest.approx(0, abs=1e-4)


@pytest.mark.slow
def test_inception_with_random_weights():
    metric = METRICS.build("fid", patch=64, pretrained=False)
    image = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    metric.update(image / 2, image)
    assert metric.compute() > 0


def test_clip_iqa_of_piq(pair):
    metric = METRICS.build("clip_iqa", pretrained=False)
    model = metric.network.module
    theirs = piq.CLIPIQA.__new__(piq.CLIPIQA)
    nn.Module.__init__(theirs)
    theirs.feature_extractor, theirs.data_range = model, 1.0
    theirs.logit_scale = model.logit_scale.exp()
    theirs.default_mean = torch.tensor(clip_iqa.MEAN).view(1, 3, 1, 1)
    theirs.default_std = torch.tensor(clip_iqa.STD).view(1, 3, 1, 1)
    tokens = torch.zeros(2, 77, dtype=torch.long)
    tokens[:, :5] = torch.tensor([[49406, 886, 1125, 269, 49407], [49406, 2103, 1125, 269, 49407]])
    theirs.anchors = F.normalize(model.encode_text(tokens), dim=-1)
    values = metric.measure(pair[0])
    torch.testing.assert_close(values, theirs(pair[0]).flatten(), rtol=1e-4, atol=1e-5)
    assert ((values > 0) & (values < 1)).all()


def test_a_strange_torchscript_file_is_not_opened(tmp_path):
    (tmp_path / "RN50.pt").write_bytes(b"code")
    with pytest.raises(ValueError, match="is not OpenAI's"):
        METRICS.build("clip_iqa", weights=tmp_path)


@pytest.mark.parametrize("name", DEEP)
def test_a_missing_file_is_told_and_where_to_put_it(name, pair, tmp_path):
    metric = METRICS.build(name)
    assert "unavailable: put" in metric.unavailable
    assert f"at {tmp_path / 'weights'}" in metric.unavailable
    with pytest.raises(MissingWeightsError, match="unavailable: put"):
        metric.update(*pair)


def test_networks_are_frozen_and_stay_in_eval_mode():
    metric = METRICS.build("clip_iqa", pretrained=False).train()
    assert not any(module.training for module in metric.network.modules())
    assert not any(parameter.requires_grad for parameter in metric.parameters())


@pytest.mark.parametrize(
    ("name", "reference"), [("musiq", False), ("maniqa", False), ("topiq", False), ("afine", True)]
)
def test_the_users_pyiqa(name, reference, pair, monkeypatch):
    monkeypatch.delitem(sys.modules, "pyiqa", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "unavailable: pip install pyiqa" in METRICS.build(name).unavailable
    made = []

    class Theirs(nn.Module):
        def forward(self, image, ref=None):
            assert (ref is not None) == reference
            return image.mean(dim=(1, 2, 3))[:, None]

    fake = types.ModuleType("pyiqa")
    fake.create_metric = lambda variant, device: made.append(variant) or Theirs()
    monkeypatch.setitem(sys.modules, "pyiqa", fake)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: fake)
    metric = METRICS.build(name)
    assert metric.unavailable is None
    torch.testing.assert_close(metric.measure(*pair), pair[0].mean(dim=(1, 2, 3)))
    assert made == [{"topiq": "topiq_nr", "afine": "afine_all_scale"}.get(name, name)]
