"""Where a file of pretrained weights lies on this machine, downloaded from the Hugging Face hub if need be.

Local files come first: the place that the user names, then the folder of weights (``$VOSR_WEIGHTS``, by
default ``~/.cache/vosr/weights``), then the cache of the hub's own client, then the network, which fills the folder of
weights.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class MissingWeightsError(FileNotFoundError):
    """Pretrained weights that are not to be had; says what to download and where to put it.

    Args:
        message: the sentences.
        why: the hub's part of them.
    """

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why


@dataclass(frozen=True)
class Weights:
    """One pretrained file and the places where it may lie.

    Attributes:
        title: what it is, as messages call it.
        repo: hub id.
        file: path inside the hub repository.
        shared: paths relative to a folder that holds the weights of several models, most usual first.
        own: paths relative to a folder that holds this model alone.
        extra_files: file names beside ``file`` in the hub repository that are fetched with it.
        licence: of the weights, where it is known.
    """

    title: str
    repo: str
    file: str
    shared: tuple[str, ...]
    own: tuple[str, ...]
    extra_files: tuple[str, ...] = ()
    licence: str = ""

    def beside(self, folder: Path) -> Path | None:
        """The file in a folder that holds the weights of several models, if it is there."""
        return _first_file(folder, self.shared)

    def here(self) -> Path | None:
        """The file in the folder of weights or in the cache of the hub's client, if it is there."""
        from vosr.core.hub import cached

        return self.beside(weights_folder()) or cached(self.repo, self.file)

    def locate(self, place: str | None = None) -> Path:
        """The file on this machine, downloaded if need be.

        Args:
            place: a file, a folder or a hub id; by default the folder of weights, then ``repo``.

        Raises:
            MissingWeightsError: it is in none of the places.
        """
        if place is None:
            return self.beside(weights_folder()) or self._download(self.repo, (self.file,), self.target())
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
        folder = weights_folder() / place
        return _first_file(folder, self.own) or self._download(place, self.own, folder / self.own[0])

    def target(self) -> Path:
        """Where a downloaded file is put."""
        return weights_folder() / self.shared[0]

    def advice(self) -> str:
        """What to download and where to put it."""
        if not self.repo:
            return "Name its file, folder or run in `weights`."
        return (
            f"Download {self.file!r} from https://huggingface.co/{self.repo} and put it at {self.target()}, or name "
            "the file in `weights`."
        )

    def _download(self, repo: str, files: tuple[str, ...], target: Path) -> Path:
        """The first of ``files`` that the hub's cache or the hub has."""
        from vosr.core.hub import HubError, cached, fetch  # an HTTP client, which shipped models do without
        from vosr.core.hub.failures import NotOnHubError

        for file in files:
            if (found := cached(repo, file)) is not None:
                return found
        for file in files:
            try:
                for name in self.extra_files:
                    with suppress(NotOnHubError):
                        fetch(repo, str(Path(file).with_name(name)), target.with_name(name))
                return fetch(repo, file, target.with_name(Path(file).name))
            except NotOnHubError as error:
                missing: HubError = error
            except HubError as error:
                missing = error
                break
        raise MissingWeightsError(
            f"{self.title} is not on this machine: {missing}. {self.advice()}", str(missing)
        )


def weights_folder() -> Path:
    """Where pretrained weights are kept: ``$VOSR_WEIGHTS``, or ``~/.cache/vosr/weights``."""
    return Path(os.environ.get("VOSR_WEIGHTS") or "~/.cache/vosr/weights").expanduser()


def _first_file(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(names)
