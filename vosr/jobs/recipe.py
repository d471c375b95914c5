"""Which model restores, and how: plain values that worker processes are given."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # help and processes that only read and write do without torch
    from vosr.inference import Precision, Restorer, Settings


@dataclass(frozen=True)
class Recipe:
    """How to open a :class:`vosr.Restorer` on a device.

    Attributes:
        model: shipped name, model or run folder, or hub id.
        settings: of every image.
        precision: dtype of each part.
        frozen_parts: folder with the VAE and encoder of a released model.
        compile: run the backbone through torch.compile.
        trust_remote_code: whether the model folder may name classes by dotted paths.
        fidelity: 0 (sharp) to 1 (faithful), of models that have both ends.
        light_decoder: file, folder or run of a light decoder to decode with.
    """

    model: str
    settings: "Settings"
    precision: "Precision"
    frozen_parts: Path | None = None
    compile: bool = False
    trust_remote_code: bool = False
    fidelity: float | None = None
    light_decoder: str | None = None

    def open(self, device: str) -> "Restorer":
        """Load the model.

        Raises:
            ValueError: no such model or device, or settings that the model does not have.
        """
        from vosr.inference import Restorer

        restorer = Restorer.from_pretrained(
            self.model,
            device,
            self.precision,
            self.frozen_parts,
            self.compile,
            self.trust_remote_code,
            self.fidelity,
            self.light_decoder,
        )
        self.settings.check(restorer.model)
        return restorer

    def record(self, restorer: "Restorer") -> dict[str, object]:
        """What results depend on, in values that JSON holds."""
        settings = asdict(self.settings)
        if settings["size"] is None:
            settings["scale"] = settings["scale"] or restorer.model.card.scale
        return {
            "model": self.model,
            "frozen_parts": None if self.frozen_parts is None else str(self.frozen_parts),
            **settings,
            "dtype": self.precision.backbone,
            "encoder_dtype": self.precision.encoder,
            "autoencoder_dtype": self.precision.autoencoder,
            "compile": self.compile,
            "trust_remote_code": self.trust_remote_code,
            "fidelity": self.fidelity,
            "light_decoder": self.light_decoder,
        }
