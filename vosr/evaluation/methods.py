"""What is compared: interpolations by name, models, and folders of results of any other tool."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image

from vosr.checkpoints import load_model
from vosr.checkpoints.catalogue import release_of
from vosr.checkpoints.find import is_hub_id, local_folder
from vosr.core.devices import pick_device
from vosr.evaluation.benchmark import Benchmark, BenchmarkImage, Pixels
from vosr.imaging.formats import SUFFIXES
from vosr.imaging.reading import read_photo
from vosr.inference import DTypeName, Settings
from vosr.inference.restorer import Restorer

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
STAGES = (
    "LQ array to 8-bit result array: enlarging, encoding, sampling, decoding, colour correction; no files"
)
"""What the seconds of a report cover."""
_MODEL_FILES = (".safetensors", ".json", ".pth", ".pt", ".bin")


class Method(ABC):
    """Something that turns an LQ into a result.

    Attributes:
        label: unique in a report, and the name of its folder.
        timed: whether it is computed here, so that seconds and memory mean something.
    """

    timed = True

    def __init__(self, label: str) -> None:
        self.label = label

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes whenever results could change; known without opening the method."""

    def open(self) -> dict[str, object]:
        """Get ready (load weights); returns plain values that describe the method, shown with every figure."""
        return {}

    def close(self) -> None:  # noqa: B027  (few have something to do)
        """Let go of what :meth:`open` loaded."""

    def offers(self, benchmark: Benchmark) -> bool:
        """Whether it has results of a benchmark at all; where not, it is left out of that benchmark."""
        return True

    def check(self, benchmark: Benchmark, keys: list[str]) -> None:  # noqa: B027
        """Raise a ValueError if some of these samples cannot be done."""

    @abstractmethod
    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        """Result of ``sample.size``."""


class Interpolation(Method):
    """Pillow's enlargement, the baseline.

    Args:
        name: one of :data:`INTERPOLATIONS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._filter = INTERPOLATIONS[name]

    def fingerprint(self) -> str:
        return self.label

    def open(self) -> dict[str, object]:
        return {"kind": "interpolation", "device": "cpu", "dtype": "uint8", "parameters": 0, "stages": STAGES}

    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        return np.asarray(Image.fromarray(sample.lq).resize(sample.size, self._filter))


@dataclass(frozen=True)
class Runtime:
    """Where and how models run.

    Args:
        device: "auto", "cpu", "cuda", …
        dtype: of backbone and encoder.
        companions: folder with the VAE and encoder of a released model.
        seed: of the noise; made from each image if not given.
        trust_remote_code: see :func:`vosr.checkpoints.load_model`.
    """

    device: str = "auto"
    dtype: DTypeName = "auto"
    companions: Path | None = None
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
        files = _model_files(name)
        if not files and release_of(name) is None and not is_hub_id(name):
            load_model(name)  # refuses, and says which names there are
        self._files = _digest(files)

    def fingerprint(self) -> str:
        runtime = replace(self._runtime, device=str(pick_device(self._runtime.device)), companions=None)
        runtime = replace(runtime, trust_remote_code=False)
        text = f"{self._files} {self._chosen()} {runtime}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def open(self) -> dict[str, object]:
        runtime = self._runtime
        self._restorer = Restorer.from_pretrained(
            self._name,
            runtime.device,
            runtime.dtype,
            runtime.companions,
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


class ResultFolder(Method):
    """Images that another tool wrote, found by the samples' keys.

    A sample ``clean/coffee_1`` of benchmark ``builtin`` is looked for as ``builtin/clean/coffee_1.*``, then
    ``clean/coffee_1.*``, then under its last name alone, where some text may follow it (``coffee_1_out.png``).

    Args:
        label: name in the report.
        folder: searched recursively.
    """

    timed = False

    def __init__(self, label: str, folder: Path) -> None:
        super().__init__(label)
        self._folder = folder
        self._paths = {
            path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(images_under(folder))
        }
        self._by_name: dict[str, list[str]] = {}
        for key in self._paths:
            self._by_name.setdefault(key.rpartition("/")[2], []).append(key)

    def fingerprint(self) -> str:
        stats = [(key, path.stat()) for key, path in self._paths.items()]
        text = repr([(key, stat.st_size, stat.st_mtime_ns) for key, stat in stats])
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def open(self) -> dict[str, object]:
        return {"kind": "folder of results", "folder": str(self._folder)}

    def offers(self, benchmark: Benchmark) -> bool:
        return any(self._find(benchmark, key) is not None for key in benchmark.names())

    def check(self, benchmark: Benchmark, keys: list[str]) -> None:
        missing = [key for key in keys if self._find(benchmark, key) is None]
        if missing:
            raise ValueError(
                f"{self._folder} lacks {len(missing)} of {len(keys)} results of {benchmark.name}, such as "
                f"{missing[0]}; name results as the images in inputs/{benchmark.name} of the report."
            )

    def restore(self, benchmark: Benchmark, sample: BenchmarkImage) -> Pixels:
        path = self._find(benchmark, sample.key)
        assert path is not None
        result = read_image(path)
        if (result.shape[1], result.shape[0]) != sample.size:
            raise ValueError(
                f"{path} is {result.shape[1]}x{result.shape[0]}, but {benchmark.name} wants "
                f"{sample.size[0]}x{sample.size[1]}; run the tool on the images in inputs/{benchmark.name}."
            )
        return result

    def _find(self, benchmark: Benchmark, key: str) -> Path | None:
        for candidate in (f"{benchmark.name}/{key}", key):
            if candidate in self._paths:
                return self._paths[candidate]
        if len(self._by_name.get(last := key.rpartition("/")[2], ())) == 1:
            return self._paths[self._by_name[last][0]]
        others = [name for each in benchmark.names() if len(name := each.rpartition("/")[2]) > len(last)]
        extended = [
            name
            for name in self._by_name
            if re.match(re.escape(last) + r"[^0-9A-Za-z]", name) and not name.startswith(tuple(others))
        ]
        found = [each for name in extended for each in self._by_name[name]]
        return self._paths[found[0]] if len(found) == 1 else None


def read_image(path: Path) -> Pixels:
    """An image file in 8 bits, as protocols compare them.

    Raises:
        ValueError: unreadable.
    """
    pixels = read_photo(path).pixels
    return pixels if pixels.dtype == np.uint8 else np.round(pixels / np.float32(257)).astype(np.uint8)


def open_methods(texts: Iterable[str], runtime: Runtime) -> list[Method]:
    """Methods as the command line names them; see :func:`open_method`.

    Raises:
        ValueError: none, or two of one label.
    """
    methods = [open_method(text, runtime) for text in texts]
    labels = [method.label for method in methods]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Two models are called {twice}; name one of them, such as --model {twice},label=other."
        )
    return methods


def open_method(text: str, runtime: Runtime) -> Method:
    """The method that ``text`` names.

    Args:
        text: "nearest", "bicubic" or "lanczos"; what :func:`vosr.checkpoints.load_model` opens; or a folder of
            results. Settings follow after commas: "vosr_small_teacher,steps=10,guidance_scale=0.5,label=teacher".
        runtime: for models.

    Raises:
        ValueError: an unknown setting, or a folder that is neither.
        FileNotFoundError: no such model.
    """
    name, values = _split(text)
    label = values.pop("label", None)
    if name in INTERPOLATIONS:
        return Interpolation(name)
    path = Path(name)
    if path.is_dir() and not _model_files(name) and next(images_under(path), None) is not None:
        return ResultFolder(label or path.resolve().name, path)
    label = label or ",".join([path.resolve().name if path.is_dir() else name, *text.split(",")[1:]])
    return Model(re.sub(r"[^\w.=,+-]", "_", label), name, _settings(values), runtime)


def _split(text: str) -> tuple[str, dict[str, str]]:
    """A name that may hold commas, and the settings after it."""
    name, values = text, dict[str, str]()
    while found := re.fullmatch(r"(.+),(\w+)=([^,]*)", name):
        name, values = found[1], {found[2]: found[3]} | values
    return name, values


def _settings(values: dict[str, str]) -> Settings:
    kinds = {
        field.name: next((t for t in (int, float) if t in get_args(field.type)), str)
        for field in fields(Settings)
    }
    known: dict[str, Any] = {}
    for key, value in values.items():
        if key not in kinds:
            raise ValueError(f"Unknown setting {key!r} of a model; known: label, {', '.join(kinds)}.")
        try:
            known[key] = kinds[key](value)
        except ValueError as error:
            raise ValueError(f"{key} must be a number, not {value!r}.") from error
    return Settings(**known)


def images_under(folder: Path) -> Iterator[Path]:
    """Images anywhere below a folder."""
    return (path for path in folder.rglob("*") if is_image_path(path))


def is_image_path(path: Path) -> bool:
    """Whether a file has an image's suffix."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _model_files(name: str) -> list[Path]:
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
