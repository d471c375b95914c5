"""Films opened for reading and writing through PyAV; its errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OLDEST = (17, 1)
"""Version of PyAV."""


def moving(av: Any, film: Any, source: Path) -> Any:
    """The first video stream that is no cover image.

    Raises:
        ValueError: there is none.
    """
    for stream in film.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            return stream
    raise ValueError(f"{source} holds no moving images.")


def first_image(av: Any, source: Path) -> Any:
    """The first image that can be decoded.

    Raises:
        ValueError: there is none.
    """
    with reading(av, source) as film:
        try:
            for packet in film.demux(moving(av, film, source)):
                for frame in decoded(av, packet) or []:
                    return frame
        except av.FFmpegError as error:
            raise ValueError(f"Cannot read {source}: {error.strerror or error}.") from error
    raise ValueError(f"{source} holds no image that can be read.")


def decoded(av: Any, packet: Any) -> list[Any] | None:
    """Images that a packet completes; None where it is damaged."""
    try:
        return list(packet.decode())
    except av.FFmpegError:
        return None


@contextmanager
def reading(av: Any, source: Path) -> Iterator[Any]:
    """The open container of a film.

    Raises:
        ValueError: it is none.
    """
    try:
        film = av.open(str(source))
    except av.FFmpegError as error:
        raise ValueError(f"Cannot read {source}: {error.strerror or error}.") from error
    with film:
        yield film


@contextmanager
def writing(av: Any, path: Path, form: str, target: Path) -> Iterator[Any]:
    """A new container at ``path``. Whatever FFmpeg says inside is about writing: reading has errors of its own.

    Raises:
        ValueError: ``target`` cannot be written so.
    """
    try:
        with av.open(str(path), "w", format=form) as out:
            yield out
    except av.FFmpegError as error:
        raise ValueError(f"Cannot write {target}: {error.strerror or error}.") from error


def import_pyav() -> Any:
    """The module ``av``.

    Raises:
        ValueError: it is not installed, or too old.
    """
    try:
        import av
    except ModuleNotFoundError as error:
        raise ValueError("Films need PyAV: pip install 'av>=17.1'.") from error
    if tuple(int(part) for part in av.__version__.split(".")[:2]) < OLDEST:
        raise ValueError(f"PyAV {av.__version__} writes wrong colours: pip install 'av>=17.1'.")
    return av
