"""Networks inside metrics: frozen, from a file, or random in tests; a missing file is reported, not raised."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from huggingface_hub import constants, get_session
from torch import nn

from vosr.core.frozen import FrozenModule
from vosr.core.weights import (
    MissingWeightsError,
    State,
    empty_module,
    load_strictly,
    random_module,
    weights_folder,
)

Loaded = tuple[State, Path]


class Network(FrozenModule):
    """Holds a metric's network: no gradients, always in eval mode."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.freeze()


def build_network(
    factory: Callable[[], nn.Module], pretrained: bool, load: Callable[[], Loaded]
) -> tuple[Network, str | None]:
    """A metric's network, and None or the reason why it is unavailable.

    Args:
        factory: makes the module.
        pretrained: false gives fixed random weights.
        load: reads the weights and returns their file.

    Raises:
        ValueError: there is a file, and it is not that of this network.
    """
    if not pretrained:
        return Network(random_module(factory)), None
    try:
        state, path = load()
    except MissingWeightsError as missing:
        return Network(nn.Identity()), str(missing)
    module = empty_module(factory)
    load_strictly(module, state, path)
    return Network(module), None


@dataclass(frozen=True)
class WebFile:
    """A file of weights on the web, in the caches where other programs put it.

    Attributes:
        title: what needs it, as messages call it.
        url: where it is.
        digest: beginning of its SHA-256.
        cache: folder of the other programs, below the torch hub's ``checkpoints`` if relative.
    """

    title: str
    url: str
    digest: str
    cache: str = "."

    @property
    def name(self) -> str:
        """File name."""
        return self.url.rpartition("/")[2]

    def locate(self, place: Path | None = None) -> Path:
        """The file on this machine: ``place``, the folder of weights, the cache, or downloaded into the cache.

        Raises:
            MissingWeightsError: it is in none of the places and cannot be downloaded.
        """
        cache = Path(torch.hub.get_dir()) / "checkpoints" / Path(self.cache).expanduser()
        places = (
            [weights_folder() / self.name, cache / self.name]
            if place is None
            else [_inside(place, self.name)]
        )
        found = next((path for path in places if path.is_file()), None)
        if found is None and place is None and _answers(self.url):
            cache.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(self.url, str(cache / self.name), self.digest, progress=False)
            found = cache / self.name
        if found is None:
            raise MissingWeightsError(
                f"{self.title} unavailable: put {self.name} ({self.url}) at {places[0]}."
            )
        return found


def _inside(place: Path, name: str) -> Path:
    path = Path(place).expanduser()
    return path / name if path.is_dir() else path


@lru_cache
def _answers(url: str) -> bool:
    """Whether a file can be downloaded: asked once, briefly."""
    if constants.HF_HUB_OFFLINE or os.environ.get("VOSR_OFFLINE"):
        return False
    try:
        return bool(get_session().head(url, timeout=5, follow_redirects=True).is_success)
    except Exception:  # the client's own kinds of errors changed between its versions
        return False
