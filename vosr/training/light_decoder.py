"""Distillation of an autoencoder's decoder into a smaller one (docs/autoencoders.md)."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vosr.autoencoders import Autoencoder
from vosr.autoencoders.light_decoder import (
    LIGHT_FILE,
    LightlyDecoded,
    build_light_decoder,
    half,
    save_light_decoder,
)
from vosr.checkpoints import places
from vosr.core.files.atomic import write_atomically
from vosr.core.fingerprint import fingerprint
from vosr.core.registry import describe
from vosr.objectives import ImageLoss, Loss
from vosr.training.attention_maps import AttentionMaps, map_distance
from vosr.training.parallel import reset_weights
from vosr.training.randomness import StepRandom
from vosr.training.reconstruction import ReconstructionModule

Frozen = tuple[Tensor, Tensor, list[Tensor]]
"""Unscaled latents, what the original decoder makes of them, and its attention maps."""


class LightDecoderModule(ReconstructionModule):
    """Trains a small decoder to do what an autoencoder's own one does.

    Both decode the same latents: draws of the posterior of training crops with noise on them, since a one-step student
    does not meet the latents of clean images exactly. Further arguments are those of :class:`ReconstructionModule`.

    Args:
        autoencoder: frozen, with its own decoder.
        image_loss: of the light decoder's image against the original's.
        widths: of the levels, finest first; by default half of the original's, as in the released light decoder. Fewer
            levels make a patch of pixels at each place of the finest one.
        layers: residual blocks a level, less one; 2 in the released one.
        attention: whether the coarsest level attends to all of its positions.
        noise: deviation of the noise on normalised latents; each image draws its own between 0 and this. The
            latents of the shipped student differ by 0.28 from those of clean images (benchmarks/latent_error.py).
        map_weight: of the difference of the attention maps of both decoders' levels; 0 leaves them out.

    Raises:
        ValueError: an autoencoder without a decoder of its own, levels that do not fit its factor, or a negative
            weight or noise.
    """

    kind = "light decoder"

    def __init__(
        self,
        autoencoder: Autoencoder,
        image_loss: ImageLoss,
        widths: list[int] | None = None,
        layers: int = 2,
        attention: bool = True,
        noise: float = 0.3,
        map_weight: float = 0.0,
        **shared: Any,
    ) -> None:
        super().__init__(image_loss=image_loss, **shared)
        if not isinstance(autoencoder, LightlyDecoded) or autoencoder.light is not None:
            raise ValueError(
                f"{type(autoencoder).__name__} has no decoder of its own to distil; give sd2, qwen or kl without a "
                "light_decoder."
            )
        if min(noise, map_weight) < 0:
            raise ValueError(f"noise and map_weight must not be negative, not {noise} and {map_weight}.")
        self.autoencoder = autoencoder
        self.image_channels = autoencoder.image_channels
        self.noise = noise
        self.map_weight = map_weight
        self.widths = tuple(widths) if widths else half(autoencoder.decoder_widths)
        self.layers = layers
        self.attention = attention
        reach = 2 ** (len(self.widths) - 1)
        self.patch = autoencoder.factor // reach
        if self.patch * reach != autoencoder.factor:
            raise ValueError(
                f"{len(self.widths)} widths enlarge by {reach}, which does not divide the autoencoder's factor "
                f"{autoencoder.factor}."
            )

    def build_backbone(self) -> nn.Module:
        return build_light_decoder(
            self.widths,
            self.layers,
            self.autoencoder.latent_channels,
            out_channels=self.image_channels * self.patch**2,
            attention=self.attention,
        )

    def initialise(self, backbone: Any) -> None:
        reset_weights(backbone, self.seed)

    def multiple(self, backbone: nn.Module) -> int:
        return self.autoencoder.factor

    def frozen_parts(self) -> dict[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    @torch.no_grad()
    def frozen_pass(self, hq: Tensor, lq: Tensor, random: StepRandom) -> Frozen:
        latent = self.autoencoder.encode(hq * 2 - 1, True, random.samples("posterior"))
        noise = [
            self.noise
            * torch.rand((), generator=stream, device=latent.device)
            * torch.randn(latent.shape[1:], generator=stream, device=latent.device)
            for stream in random.samples("latent noise")
        ]
        unscaled = self.autoencoder.unscaled(latent + torch.stack(noise))
        with AttentionMaps(self.autoencoder.up_blocks() if self.map_weight else []) as maps:
            image = self.autoencoder.decode_unscaled(unscaled).float()
        return unscaled, image, maps.found

    def loss_of(self, hq: Tensor, frozen: Frozen, random: StepRandom) -> Loss:
        latent, target, wanted = frozen
        with AttentionMaps(list(self.backbone.up_blocks) if self.map_weight else []) as maps:
            image = self.autoencoder.completed(self.backbone(latent), latent).float()
        others = []
        if self.map_weight:
            distance = map_distance(maps.found, wanted)
            others.append(Loss(self.map_weight * distance, {"maps": distance.detach()}))
        return self.with_image_terms(image, target, others)

    def columns(self, image: Tensor) -> dict[str, Tensor]:
        latent = self.autoencoder.unscaled(self.autoencoder.encode(image))
        return {
            self.kind: self.autoencoder.completed(self.average(latent), latent).float(),
            "original": self.autoencoder.decode_unscaled(latent).float(),
        }

    def save_release(self, folder: Path, weights: bool = True) -> None:
        record = {
            "format": "vosr-light-decoder/1",
            "autoencoder": describe(self.autoencoder),
            "fingerprint": fingerprint(self.autoencoder),
            "widths": list(self.widths),
            "layers": self.layers,
            "norm_num_groups": self.average.conv_norm_out.num_groups,
        }
        folder.mkdir(parents=True, exist_ok=True)
        leads_out = places.spell_out(record)
        text = json.dumps(record, indent=2) + "\n"
        write_atomically(folder / "config.json", lambda path: path.write_text(text))
        if leads_out:
            places.remember(folder / "config.json")
        if weights:
            write_atomically(folder / LIGHT_FILE, lambda path: save_light_decoder(self.average, path))
        else:
            (folder / LIGHT_FILE).unlink(missing_ok=True)  # of an unsharded beginning

    def next_commands(self, run: str) -> dict[str, str]:
        return {"Next": f"python main.py restore PHOTO -o restored --model MODEL --light_decoder {run}"}
