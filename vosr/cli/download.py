"""``download``: everything that a model of the hub needs, into the folder of weights."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jsonargparse import ArgumentParser, Namespace

from vosr.checkpoints.catalogue import RELEASES, release_of
from vosr.checkpoints.find import files_on_hub, is_hub_id, place_of
from vosr.core.console import PlainConsole
from vosr.core.hub import HubError, fetch, is_same
from vosr.core.hub.display import Downloads
from vosr.core.hub.failures import NotOnHubError, OfflineError, nearest
from vosr.core.hub.fetch import look_up
from vosr.core.weights import Weights, weights_folder


class HubFile(NamedTuple):
    """One file of the hub, and where it is or will be; None of ``optional`` ones matters."""

    repo: str
    file: str
    place: Path
    optional: bool = False


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "names", nargs="+", help=f"Released models ({', '.join(RELEASES)}) or hub ids (owner/repository)."
    )


def run(options: Namespace) -> int:
    """Fetch what is missing and compare what is here with the hub's checksums; status 1 if something failed."""
    console, failed = PlainConsole(), 0
    with Downloads() as display:
        for part in _parts(options.names):
            try:
                word = _get(part, display)
            except NotOnHubError as error:
                if part.optional:
                    continue
                word, failed = f"failed: {error}.", failed + 1
            except OfflineError:
                raise
            except HubError as error:
                word, failed = f"failed: {error}.", failed + 1
            display.print(f"{part.file} of {part.repo}: {word}")
    if not failed:
        console.print(f"All there. Next: python main.py restore PHOTO -o restored --model {options.names[0]}")
    return min(failed, 1)


def _get(part: HubFile, display: Downloads) -> str:
    """What became of a file.

    Raises:
        HubError: it is not to be had, or what is here is something else.
    """
    if part.place.is_file():
        if not is_same(part.place, look_up(part.repo, part.file)):
            raise HubError(f"{part.place} is not what the hub holds; remove it to download it again")
        return f"verified, {part.place}"
    with display.file(part.file) as progress:
        return f"fetched, {fetch(part.repo, part.file, part.place, progress)}"


def _parts(names: list[str]) -> Iterator[HubFile]:
    for name in names:
        release = release_of(name)
        if release is not None:
            for weights in release.parts().values():
                yield from _of_weights(weights)
        elif is_hub_id(name):
            repo, folder, files = files_on_hub(name)
            yield from (HubFile(repo, f"{folder}{file}", place_of(name) / file) for file in files)
        else:
            raise ValueError(f"No model {name!r} to download.{nearest(name, list(RELEASES))}")


def _of_weights(weights: Weights) -> Iterator[HubFile]:
    place = weights.here() or weights.target()
    if place.is_relative_to(weights_folder()) and place != weights.target():
        return  # in another layout, which the hub does not have
    for name in weights.extra_files:
        yield HubFile(weights.repo, str(Path(weights.file).with_name(name)), place.with_name(name), True)
    yield HubFile(weights.repo, weights.file, place)
