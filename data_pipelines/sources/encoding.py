"""Latents and tokens in shards, in the place of images: what ``precompute`` writes and training reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from data_pipelines.failures import ImageError, Reason
from data_pipelines.safety.places import is_remote
from data_pipelines.sources.fetch import local_path
from vosr.core.files.atomic import write_atomically
from vosr.core.files.regular import read_regular
from vosr.core.types import Condition, EncodedBatch

ENCODING_NAME = "encoding.json"
"""File beside the index of such shards."""
MEMBER = "safetensors"
_FORMAT = "vosr-encoding-1"


@dataclass(frozen=True)
class StoredEncoding:
    """How samples of latents and tokens are to be read.

    Attributes:
        made_by: record of the autoencoder, the encoder and the degradation; None for the degradation of real pairs.
        crop_size: side of the images in pixels.
        images: whether the clean images are there.
        shapes: of ``latent``, ``lq_latent`` and ``tokens`` of one sample.
        computed: type that each was computed in, by torch's name; it may be stored in a narrower one.
    """

    made_by: dict[str, Any]
    crop_size: int
    images: bool
    shapes: dict[str, list[int]]
    computed: dict[str, str]

    @classmethod
    def of(cls, batch: EncodedBatch, made_by: dict[str, Any], images: bool) -> "StoredEncoding":
        """The encoding that a batch has."""
        tensors = _tensors(batch)
        return cls(
            made_by,
            batch.hq.shape[-1],
            images,
            {name: list(tensor.shape[1:]) for name, tensor in tensors.items()},
            {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in tensors.items()},
        )

    def members(self, batch: EncodedBatch, dtype: torch.dtype | None) -> list[dict[str, bytes]]:
        """Each sample of a batch as members of a shard, stored in ``dtype`` or as it was computed."""
        tensors = {name: tensor.to("cpu", dtype) for name, tensor in _tensors(batch).items()}
        if self.images:
            tensors["hq"] = batch.hq.cpu()
        return [
            {
                MEMBER: save(
                    {name: tensor[i].contiguous() for name, tensor in tensors.items()} | {"key": _bytes(key)}
                )
            }
            for i, key in enumerate(batch.key)
        ]

    def tensors(self, members: Mapping[str, bytes]) -> dict[str, Tensor]:
        """The tensors of one sample, as they were computed.

        Raises:
            ImageError: the member is not there or damaged.
        """
        try:
            stored = load(members[MEMBER])
            found = {name: stored[name].to(getattr(torch, kind)) for name, kind in self.computed.items()}
            found |= {"key": stored["key"], "hq": stored["hq"] if self.images else self._no_image()}
        except (KeyError, SafetensorError) as error:
            raise ImageError(Reason.DAMAGED, f"no tensors of an image: {error}") from error
        shapes = self.shapes | {"hq": [3, self.crop_size, self.crop_size]}
        if any(list(found[name].shape) != shape for name, shape in shapes.items()):
            raise ImageError(Reason.DAMAGED, "tensors of other shapes than the folder's")
        return found

    def batch(self, samples: list[dict[str, Tensor]]) -> EncodedBatch:
        """Samples of :meth:`tensors` together."""
        latent, lq_latent, tokens = (torch.stack([each[name] for each in samples]) for name in self.shapes)
        hq = torch.stack([each["hq"] for each in samples]) if self.images else self._no_image(len(samples))
        keys = [each["key"].numpy().tobytes().decode() for each in samples]
        return EncodedBatch(hq, None, keys, latent, Condition(lq_latent, tokens))

    def write(self, folder: Path) -> None:
        """Put it beside the shards that it describes."""
        text = json.dumps({"format": _FORMAT} | asdict(self), indent=1) + "\n"
        write_atomically(folder / ENCODING_NAME, lambda temporary: temporary.write_text(text))

    def _no_image(self, *count: int) -> Tensor:
        """Takes no memory."""
        return torch.zeros(1, dtype=torch.uint8).expand(*count, 3, self.crop_size, self.crop_size)


def encoding_of(source: str) -> StoredEncoding | None:
    """The encoding of a local folder that ``precompute`` has written; None where a source is anything else.

    Raises:
        ValueError: it is of another version.
    """
    path = local_path(source) / ENCODING_NAME
    if is_remote(source) or not path.is_file():
        return None
    try:
        content = json.loads(read_regular(path))
        if content.pop("format") != _FORMAT:
            raise ValueError("another format")
        encoding = StoredEncoding(**content)
        if not all(isinstance(getattr(torch, kind), torch.dtype) for kind in encoding.computed.values()):
            raise ValueError("no types of tensors")
        return encoding
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no {_FORMAT!r} file ({error}); precompute the folder again.") from error


def _tensors(batch: EncodedBatch) -> dict[str, Tensor]:
    return {"latent": batch.latent, "lq_latent": batch.condition.latent, "tokens": batch.condition.tokens}


def _bytes(key: str) -> Tensor:
    return torch.frombuffer(bytearray(key.encode()), dtype=torch.uint8)
