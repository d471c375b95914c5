"""Which model restores, and how: plain values that worker processes are given."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from vosr.inference import Precision, Restorer, Settings


@dataclass(frozen=True)
class Recipe:
    """How to open a :class:`vosr.Restorer` on a device.

    Attributes:
        model: shipped name, model or run folder, or hub id.
        settings: of every image.
        precision: dtype of each part.
        companions: folder with the VAE and encoder of a released model.
        compile: run the backbone through torch.compile.
    """

    model: str
    settings: Settings = field(default_factory=Settings)
    precision: Precision = field(default_factory=Precision)
    companions: Path | None = None
    compile: bool = False

    def open(self, device: str) -> Restorer:
        """Load the model.

        Raises:
            ValueError: no such model or device, or settings that the model does not have.
        """
        restorer = Restorer.from_pretrained(self.model, device, self.precision, self.companions, self.compile)
        self.settings.check(restorer.model)
        return restorer

    def record(self, restorer: Restorer) -> dict[str, object]:
        """What results depend on, in values that JSON holds."""
        settings = asdict(self.settings)
        if settings["size"] is None:
            settings["scale"] = settings["scale"] or restorer.model.card.scale
        return {
            "model": self.model,
            "companions": None if self.companions is None else str(self.companions),
            **settings,
            "dtype": self.precision.backbone,
            "encoder_dtype": self.precision.encoder,
            "autoencoder_dtype": self.precision.autoencoder,
            "compile": self.compile,
        }
