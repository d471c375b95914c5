"""The models there are by name: shipped with the package, and released on the hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vosr.checkpoints.frozen_parts import frozen_parts_of
from vosr.checkpoints.model_folder import CONFIG
from vosr.checkpoints.released_args import FILE
from vosr.core.weights import Weights

REPO = "CSWRY/VOSR"
SHIPPED = Path(__file__).parent.parent / "pretrained"
_WEIGHTS = "checkpoints/ema_model.safetensors"


@dataclass(frozen=True)
class Release:
    """One released model.

    Attributes:
        name: of its folder in :data:`REPO`.
        kind: a "teacher" takes many steps, a "student" one.
        parameters: of its backbone.
        ae_type: its autoencoder.
        encoder: size of its DINOv2.
    """

    name: str
    kind: Literal["teacher", "student"]
    parameters: int
    ae_type: Literal["sd2", "qwen"]
    encoder: Literal["b", "l"]

    def parts(self) -> dict[str, Weights]:
        """Every file that it needs: backbone and settings first, then the pretrained parts."""
        own = {"backbone": _WEIGHTS, "settings": FILE}
        return {
            part: Weights(
                f"{self.name} {file}", REPO, f"{self.name}/{file}", (f"{self.name}/{file}",), (file,)
            )
            for part, file in own.items()
        } | frozen_parts_of(self.ae_type, self.encoder)


RELEASES = {
    release.name: release
    for release in (
        Release("VOSR_0.5B_ms", "teacher", 485_623_616, "sd2", "b"),
        Release("VOSR_0.5B_os", "student", 486_936_384, "sd2", "b"),
        Release("VOSR_1.4B_ms", "teacher", 1_393_943_616, "qwen", "l"),
        Release("VOSR_1.4B_os", "student", 1_396_699_200, "qwen", "l"),
        Release("VOSR2", "student", 1_393_943_616, "qwen", "l"),
    )
}
"""Released models by name; "CSWRY/VOSR/NAME" is the same."""


def release_of(name: str) -> Release | None:
    """The released model of a short name or a hub id."""
    return RELEASES.get(name.removeprefix(f"{REPO}/"))


def shipped_names() -> list[str]:
    """Models that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}"))
