"""Models as methods of a comparison."""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vosr.checkpoints import load_model
from vosr.checkpoints.catalogue import release_of
from vosr.checkpoints.find import is_hub_id, local_folder
from vosr.core.devices import pick_device
from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.evaluation.methods import STAGES, Method
from vosr.inference import DTypeName, Settings
from vosr.inference.restorer import Restorer

_MODEL_FILES = (".safetensors", ".json", ".pth", ".pt", ".bin")


@dataclass(frozen=True)
class Runtime:
    """Where and how models run.

    Args:
        device: "auto", "cpu", "cuda", …
        dtype: of backbone and encoder.
        frozen_parts: folder with the VAE and encoder of a released model.
        seed: of the noise; made from each image if not given.
        trust_remote_code: see :func:`vosr.checkpoints.load_model`.
    """

    device: str = "auto"
    dtype: DTypeName = "auto"
    frozen_parts: Path | None = None
    seed: int | None = None
    trust_remote_code: bool = False


class Model(Method):
    """A model that :class:`vosr.Restorer` opens: shipped, a model or run folder, a released one, or a hub id.

    Args:
        label: name in the report.
        name: what opens it.
        settings: of the restoration.
        runtime: where it runs.
    """

    def __init__(self, label: str, name: str, settings: Settings, runtime: Runtime) -> None:
        super().__init__(label)
        self._name, self._settings, self._runtime = name, settings, runtime
        self._restorer: Restorer | None = None
        files = model_files(name)
        if not files and release_of(name) is None and not is_hub_id(name):
            load_model(name)  # refuses, and says which names there are
        self._files = _digest(files)

    def fingerprint(self) -> str:
        runtime = replace(self._runtime, device=str(pick_device(self._runtime.device)), frozen_parts=None)
        runtime = replace(runtime, trust_remote_code=False)
        text = f"{self._files} {self._chosen()} {runtime}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def open(self) -> dict[str, object]:
        runtime = self._runtime
        self._restorer = Restorer.from_pretrained(
            self._name,
            runtime.device,
            runtime.dtype,
            runtime.frozen_parts,
            trust_remote_code=runtime.trust_remote_code,
        )
        model, engine = self._restorer.model, self._restorer.engine
        self._settings.check(model)
        return {
            "kind": model.card.kind,
            "model": self._name,
            "digest": self._files,
            "device": _device_name(engine.device),
            "dtype": str(next(model.backbone.parameters()).dtype).removeprefix("torch."),
            "parameters": sum(p.numel() for p in model.parameters()),
            "backbone parameters": sum(p.numel() for p in model.backbone.parameters()),
            "steps": self._settings.steps or model.sampling.steps,
            "seed": "of each image" if runtime.seed is None else runtime.seed,
            "settings": self._chosen(),
            "stages": STAGES,
        }

    def _chosen(self) -> dict[str, object]:
        """Settings that differ from the defaults."""
        plain = asdict(Settings())
        return {key: value for key, value in asdict(self._settings).items() if value != plain[key]}

    def close(self) -> None:
        self._restorer = None

    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        assert self._restorer is not None
        lq, seed = np.array(sample.lq), self._runtime.seed
        return self._restorer.restore_batch([lq], replace(self._settings, size=sample.size, seed=seed))[0]


def model_files(name: str) -> list[Path]:
    """Files that define a model on this machine; none for one that is not here yet."""
    folder = local_folder(name)
    return [] if folder is None else sorted(file for file in folder.rglob("*") if file.suffix in _MODEL_FILES)


def _digest(paths: list[Path]) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
