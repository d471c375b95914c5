"""CLIP-IQA: which of two sentences CLIP finds nearer to an image."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vosr.metrics.base import ImageMetric
from vosr.metrics.deep import Loaded, Network, WebFile, build_network

DIGEST = "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762"
FILE = WebFile(
    "CLIP-IQA",
    f"https://openaipublic.azureedge.net/clip/models/{DIGEST}/RN50.pt",
    digest=DIGEST,
    cache="~/.cache/clip",
)
START, END, CONTEXT = 49406, 49407, 77
GOOD, BAD = (886, 1125, 269), (2103, 1125, 269)
"""CLIP's tokens of "Good photo." and "Bad photo."."""

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def resnet_50() -> nn.Module:
    """CLIP with ResNet-50, of piq, unfilled."""
    from piq.feature_extractors.clip import CLIP

    return CLIP(1024, 224, (3, 4, 6, 3), 64, None, CONTEXT, END + 1, 512, 8, 12)


def tiny() -> nn.Module:
    """The same, small."""
    from piq.feature_extractors.clip import CLIP

    return CLIP(64, 224, (1, 1, 1, 1), 8, None, CONTEXT, END + 1, 64, 1, 1)


class CLIPIQA(ImageMetric):
    """CLIP-IQA, no reference: probability of "Good photo." against "Bad photo." for CLIP's ResNet-50.

    [0, 1], higher is better. Takes RGB, normalised by CLIP's mean and std, whole image without positional
    embedding. Needs the package ``piq``. Source: Wang et al. 2023, as in piq.

    Args:
        weights: OpenAI's ``RN50.pt`` or its folder; by default the folder of weights, then ``~/.cache/clip``.
        pretrained: false gives a tiny CLIP with fixed random weights.
    """

    title = "CLIP-IQA"
    low, high = 0.0, 1.0
    higher_is_better = True
    needs_reference = False

    def __init__(self, weights: Path | None = None, pretrained: bool = True) -> None:
        super().__init__()
        if importlib.util.find_spec("piq") is None:
            self.network, self.unavailable = Network(nn.Identity()), "CLIP-IQA unavailable: pip install piq."
            return
        self.network, self.unavailable = build_network(
            resnet_50 if pretrained else tiny, pretrained, lambda: _load(weights)
        )

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        model: Any = self.network.module
        sentences = restored.new_zeros((2, CONTEXT), dtype=torch.long)
        for row, words in zip(sentences, (GOOD, BAD)):
            row[: len(words) + 2] = row.new_tensor([START, *words, END])
        x = (restored - restored.new_tensor(MEAN).view(1, 3, 1, 1)) / restored.new_tensor(STD).view(
            1, 3, 1, 1
        )
        image = nn.functional.normalize(model.encode_image(x, pos_embedding=False), dim=-1)
        text = nn.functional.normalize(model.encode_text(sentences), dim=-1)
        return (model.logit_scale.exp() * image @ text.T).softmax(dim=-1)[:, 0]


def _load(weights: Path | None) -> Loaded:
    """The weights inside OpenAI's TorchScript archive, which may hold code: it must be that very file.

    Raises:
        ValueError: it is another one.
    """
    path = FILE.locate(weights)
    if hashlib.sha256(path.read_bytes()).hexdigest() != DIGEST:
        raise ValueError(f"{path} is not OpenAI's RN50.pt; download {FILE.url}.")
    state = torch.jit.load(path, map_location="cpu").state_dict()
    extra = ("input_resolution", "context_length", "vocab_size")
    return {name: value for name, value in state.items() if name not in extra}, path
