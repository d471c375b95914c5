"""Autoencoders side by side: what they lose, what their latents are like, and what they cost."""

import inspect
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from vosr.autoencoders import AUTOENCODERS, Autoencoder
from vosr.autoencoders.light_decoder import with_light_decoder
from vosr.autoencoders.spatial_map import SpatialMap
from vosr.checkpoints import places
from vosr.checkpoints.autoencoder_folder import (
    autoencoder_folder,
    folder_record,
    is_autoencoder,
    is_light_decoder,
)
from vosr.core.registry import rebuild
from vosr.core.weights import MissingWeightsError
from vosr.evaluation.memory import MIB, PeakMemory
from vosr.evaluation.open import split_settings
from vosr.metrics import METRICS

QUALITY = ("psnr_y", "ssim_y", "feature_distance")
BINS = 8
"""Rings of the spectrum, from the mean to half a cycle per cell."""


@dataclass(frozen=True)
class AutoencoderFigures:
    """What was measured of one autoencoder.

    Attributes:
        name: as it was given.
        factor: pixels per latent cell along each axis.
        channels: of the latent.
        parameters: of both coders.
        quality: mean of each metric of the reconstructions, by name; empty where weights are missing.
        means: of the normalised latent's channels.
        stds: their standard deviations.
        spectrum: share of the latents' energy in rings of frequencies, lowest first, the mean left out.
        equivariance: squared difference between latents of halved and turned images and halved and turned latents,
            over the latents' variance.
        encode_seconds: mean per image.
        decode_seconds: mean per image.
        encode_mib: memory at the peak, weights included.
        decode_mib: the same.
        missing: what has to be downloaded; costs are then those of random weights, and quality and latents are absent.
    """

    name: str
    factor: int
    channels: int
    parameters: int
    quality: dict[str, float]
    means: list[float]
    stds: list[float]
    spectrum: list[float]
    equivariance: float | None
    encode_seconds: float
    decode_seconds: float
    encode_mib: float | None
    decode_mib: float | None
    missing: str | None = None

    @property
    def compression(self) -> float:
        """Values of an RGB image over values of its latent."""
        return 3 * self.factor**2 / self.channels


def open_autoencoder(text: str) -> tuple[Autoencoder, str | None]:
    """The autoencoder that ``text`` names, and what is missing where it has random weights for that reason.

    Args:
        text: a registered name, or the folder or run of an autoencoder or of a light decoder; arguments follow after
            commas: "sd2,light_decoder=auto", "dct,factor=8,luma=2,chroma=1".

    Raises:
        ValueError: an unknown name or argument, or files that do not fit.
    """
    name, given = split_settings(text)
    values = {key: yaml.safe_load(value) for key, value in given.items()}
    folder = None if name in AUTOENCODERS.names() else autoencoder_folder(name)
    record = {} if folder is None else folder_record(folder)
    if folder is not None and is_light_decoder(record):
        places.confine(record, folder / "config.json", trusted=False)
        original: Autoencoder = rebuild("autoencoder", record["autoencoder"])
        return with_light_decoder(original, str(folder)), None
    if is_autoencoder(record):
        name, values = "kl", {"weights": str(folder), **values}
    elif folder is None and Path(name).exists():
        raise ValueError(f"{name} holds no autoencoder: expected the config.json of one, or a run of one.")
    cls = AUTOENCODERS.get(name)
    known = list(inspect.signature(cls.__init__).parameters)[1:]
    unknown = next((key for key in values if key not in known), None)
    if unknown is not None:
        raise ValueError(f"{name} has no argument {unknown!r}; it takes {', '.join(known)}.")
    try:
        return cls(**values), None
    except MissingWeightsError as error:
        if "pretrained" not in known:
            raise
        return cls(**(values | {"pretrained": False})), str(error)


@torch.no_grad()
def measure_autoencoder(
    name: str, autoencoder: Autoencoder, missing: str | None, images: Sequence[Tensor], device: torch.device
) -> AutoencoderFigures:
    """Encode and decode every image, one by one, in float32.

    Args:
        name: of the row.
        autoencoder: to be measured.
        missing: see :func:`open_autoencoder`.
        images: (3, H, W) each, 8 bits, all of one size, a multiple of the factor.
        device: that it runs on.

    Raises:
        ValueError: it takes no RGB images, or not of this size.
    """
    if autoencoder.image_channels != 3:
        raise ValueError(f"{name} is of {autoencoder.image_channels} channels; evaluate takes RGB images.")
    height, width = images[0].shape[-2:]
    if height % autoencoder.factor or width % autoencoder.factor:
        raise ValueError(
            f"Images of {width} x {height} pixels do not fit {name}, whose factor is {autoencoder.factor}; give "
            "another --crop."
        )
    autoencoder = autoencoder.to(device)
    metrics = {key: METRICS.build(key).to(device) for key in QUALITY if missing is None}
    weights = sum(p.nbytes for p in autoencoder.parameters()) / MIB
    costs: dict[str, list[Any]] = {"encode": [], "decode": []}
    latents, halved = [], []
    warm = images[0][None].to(device).float() / 127.5 - 1
    autoencoder.decode(autoencoder.encode(warm))
    for pixels in images:
        image = pixels[None].to(device).float() / 127.5 - 1
        latent = _timed(lambda image=image: autoencoder.encode(image), device, costs["encode"])
        decoded = _timed(lambda latent=latent: autoencoder.decode(latent), device, costs["decode"])
        for metric in metrics.values():
            metric.update(((decoded + 1) / 2).clamp(0, 1), (image + 1) / 2)
        latents.append(latent.cpu())
        halved.append(_commutator(autoencoder, image, latent))
    z = torch.cat(latents).double()
    known = missing is None
    return AutoencoderFigures(
        name,
        autoencoder.factor,
        autoencoder.latent_channels,
        sum(p.numel() for p in autoencoder.parameters()),
        {key: float(metric.compute()) for key, metric in metrics.items()},
        z.mean((0, 2, 3)).tolist() if known else [],
        z.std((0, 2, 3)).tolist() if known else [],
        ring_shares(z) if known else [],
        float(torch.stack(halved).mean() / z.var((0, 2, 3)).mean()) if known else None,
        encode_seconds=_mean([seconds for seconds, _ in costs["encode"]]),
        decode_seconds=_mean([seconds for seconds, _ in costs["decode"]]),
        encode_mib=_most([mib for _, mib in costs["encode"]], weights, device),
        decode_mib=_most([mib for _, mib in costs["decode"]], weights, device),
        missing=missing,
    )


def ring_shares(latents: Tensor, bins: int = BINS) -> list[float]:
    """Share of the energy of latents (B, C, h, w) in rings of equal width, up to half a cycle per cell.

    Frequencies beyond it, in the corners of the spectrum, and the mean belong to no ring.
    """
    energy = torch.fft.fft2(latents - latents.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    rows, columns = (torch.fft.fftfreq(side) for side in latents.shape[-2:])
    radius = (rows[:, None] ** 2 + columns**2).sqrt()
    ring = (radius * 2 * bins).ceil().long() - 1  # (0, 1 / 2 bins] is the first
    sums = [float(energy[ring == i].sum()) for i in range(bins)]
    return [one / max(sum(sums), 1e-12) for one in sums]


def _commutator(autoencoder: Autoencoder, image: Tensor, latent: Tensor) -> Tensor:
    """Mean squared difference between encoding after and before halving and a quarter turn."""
    spatial_map, factor = SpatialMap(0.5, 1), autoencoder.factor
    return (autoencoder.encode(spatial_map(image, factor)) - spatial_map(latent, 1)).square().mean().cpu()


def _timed(work: Any, device: torch.device, costs: list[Any]) -> Tensor:
    peak, start = PeakMemory(device), time.perf_counter()
    result: Tensor = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    costs.append((time.perf_counter() - start, peak.read()))
    return result


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _most(peaks: list[float | None], weights: float, device: torch.device) -> float | None:
    known = [peak for peak in peaks if peak is not None]
    return None if not known else max(known) + (weights if device.type == "cpu" else 0.0)


def figures_json(figures: Sequence[AutoencoderFigures]) -> str:
    """Everything that was measured."""
    return json.dumps([vars(one) | {"compression": one.compression} for one in figures], indent=2) + "\n"
