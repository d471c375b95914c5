"""Pretrained weights: found locally or fetched from the Hugging Face hub, memory-mapped, loaded strictly.

Local files come first: the place that the user names, then the folder of weights (``$VOSR_WEIGHTS``, by
default ``~/.cache/vosr/weights``), then the hub's own cache, then the network.
"""

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

State = dict[str, Tensor]
M = TypeVar("M", bound=nn.Module)


class MissingWeightsError(FileNotFoundError):
    """Pretrained weights that are not to be had; says what to download and where to put it."""


@dataclass(frozen=True)
class Weights:
    """One pretrained file and the places where it may lie.

    Attributes:
        title: what it is, as messages call it.
        repo: hub id.
        file: path inside the hub repository.
        shared: paths relative to a folder that holds the weights of several models, most usual first.
        own: paths relative to a folder that holds this model alone.
        companions: file names beside ``file`` in the hub repository that are fetched with it.
    """

    title: str
    repo: str
    file: str
    shared: tuple[str, ...]
    own: tuple[str, ...]
    companions: tuple[str, ...] = ()

    def beside(self, folder: Path) -> Path | None:
        """The file in a folder that holds the weights of several models, if it is there."""
        return _first_file(folder, self.shared)

    def locate(self, place: str | None = None) -> Path:
        """The file on this machine, downloaded if need be.

        Args:
            place: a file, a folder or a hub id; by default the folder of weights, then ``repo``.

        Raises:
            MissingWeightsError: it is in none of the places.
        """
        if place is None:
            return self.beside(weights_folder()) or self._download(self.repo, (self.file,))
        path = Path(place).expanduser()
        if path.is_file():
            return path
        if path.is_dir():
            found = _first_file(path, self.own) or self.beside(path)
            if found is None:
                raise MissingWeightsError(f"No {self.title} in {path}: expected {_either(self.own)}.")
            return found
        if not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", place):
            raise MissingWeightsError(
                f"No {self.title} at {place}: there is no such file or folder. {self.advice()}"
            )
        return self._download(place, self.own)

    def advice(self) -> str:
        """What to download and where to put it."""
        if not self.repo:
            return "Name its file, folder or run in `weights`."
        return (
            f"Download {self.file!r} from https://huggingface.co/{self.repo} and put it at "
            f"{weights_folder() / self.shared[0]}, or name the file in `weights`."
        )

    def _download(self, repo: str, files: tuple[str, ...]) -> Path:
        found = self._fetch(repo, files, cached_only=True)
        if found is None and _hub_answers():
            found = self._fetch(repo, files, cached_only=False)
        if found is None:
            where = "on this machine" if repo == self.repo else f"in the hub repository {repo!r}"
            raise MissingWeightsError(f"{self.title} is not {where}. {self.advice()}")
        return found

    def _fetch(self, repo: str, files: tuple[str, ...], cached_only: bool) -> Path | None:
        from huggingface_hub import hf_hub_download  # an HTTP client, which shipped models do without

        for file in files:
            try:
                path = hf_hub_download(repo, file, local_files_only=cached_only)
                for name in self.companions:
                    hf_hub_download(repo, str(Path(file).with_name(name)), local_files_only=cached_only)
            except (
                OSError,
                ValueError,
            ):  # not cached, or not in that repository: the hub's errors derive from these
                continue
            return Path(path)
        return None


def weights_folder() -> Path:
    """Where pretrained weights are kept: ``$VOSR_WEIGHTS``, or ``~/.cache/vosr/weights``."""
    return Path(os.environ.get("VOSR_WEIGHTS") or "~/.cache/vosr/weights").expanduser()


def read_tensors(path: Path) -> Any:
    """Contents of a safetensors file or of a pickle of tensors, memory-mapped where the format allows it.

    Raises:
        ValueError: the file is no such thing.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # safetensors, pickle and zip each raise their own kinds
        raise ValueError(f"{path} is not a readable file of weights: {error}") from error


def load_strictly(
    module: nn.Module, state: State, path: Path, dtype: torch.dtype | None = torch.float32
) -> None:
    """Put ``state`` in place of the module's parameters, as ``dtype`` (None: as stored); all names and shapes must fit.

    Values that have ``dtype`` already are not copied: they stay in the mapped file until they are used.

    Raises:
        ValueError: names what is missing, what is unexpected and what has another shape.
    """
    check_fit(module, state, path)
    module.load_state_dict(
        {name: value if dtype is None else value.to(dtype) for name, value in state.items()}, assign=True
    )


def check_fit(module: nn.Module, state: State, source: str | Path) -> None:
    """Refuse weights that are not those of ``module``, which may be on the meta device.

    Args:
        module: has the names and shapes that are wanted.
        state: the weights.
        source: where they come from, for the message.

    Raises:
        ValueError: names what is missing, what is unexpected and what has another shape.
    """
    expected = module.state_dict()
    problems = [
        *(f"{name} is missing" for name in expected.keys() - state.keys()),
        *(f"{name} is unexpected" for name in state.keys() - expected.keys()),
        *(
            f"{name} is {tuple(state[name].shape)}, not {tuple(expected[name].shape)}"
            for name in expected.keys() & state.keys()
            if state[name].shape != expected[name].shape
        ),
    ]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(
            f"{source} does not fit {type(module).__name__}: {'; '.join(sorted(problems)[:3])}{more}."
        )


def on_meta() -> bool:
    """Whether modules are being built without memory, under ``torch.device("meta")``."""
    return torch.get_default_device().type == "meta"


@contextmanager
def fixed_random() -> Iterator[None]:
    """Random initial weights, the same in each process and run; the global stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def random_module(factory: Callable[[], M]) -> M:
    """``factory()`` with reproducible random weights, or without memory under ``torch.device("meta")``."""
    with fixed_random():
        return factory()


def empty_module(factory: Callable[[], M]) -> M:
    """``factory()`` without memory for its parameters, to be filled by :func:`load_strictly`."""
    with torch.device("meta"):
        return factory()


def _hub_answers() -> bool:
    """Whether the hub can be reached, asked once and briefly: its own client retries for half a minute."""
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception:  # the client's own kinds of errors changed between its versions
        return False
    return True


def _first_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
