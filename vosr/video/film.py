"""A film is read once: its pictures are restored, sound and subtitles are copied as they are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosr.atomic import write_atomically
from vosr.jobs.engine import Engine
from vosr.video.colours import pixels_of, tag, video_frame

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Containers that are written, by suffix."""
SUFFIXES = (*FORMATS, ".avi", ".mpeg", ".mpg", ".webm", ".wmv")
"""By which a file is taken for a film."""
COPIED = ("audio", "subtitle")
WHOLE = 0.95
"""Share of the pictures that a film announces, below which it is said to be torn: the number is an estimate."""


@dataclass(frozen=True)
class Encoding:
    """How the pictures are written.

    Attributes:
        codec: encoder of FFmpeg: libx264, libx265, libsvtav1, ….
        crf: constant rate factor; 0 loses nothing, each 6 more halve the file.
    """

    codec: str = "libx264"
    crf: int = 16


def restore_film(
    source: Path, target: Path, engine: Engine, encoding: Encoding, advance: Callable[[int, int | None], None]
) -> tuple[str, ...]:
    """Restore every picture of a film by itself.

    Times, sound and subtitles stay. Turned pictures (phones) are stored upright. More than 8 bits become 10.

    Args:
        source: any film that FFmpeg reads.
        target: its suffix says the container, see :data:`FORMATS`; complete or absent.
        engine: the model.
        encoding: codec and quality.
        advance: told the number of pictures so far and, where it is known, of all.

    Returns:
        What was changed, in words.

    Raises:
        ValueError: no film, one that cannot be read or written so, or PyAV is not installed.
    """
    av = _pyav()
    if target.suffix.lower() not in FORMATS:
        raise ValueError(
            f"A film's name must end in {', '.join(FORMATS)}, not {target.suffix or target.name!r}."
        )
    with _reading(av, source) as film:
        if not film.streams.video:
            raise ValueError(f"{source} holds no moving pictures.")
        target.parent.mkdir(parents=True, exist_ok=True)
        notes: list[str] = []
        write_atomically(
            target,
            lambda path: notes.extend(
                _Rewriting(av, film, source, target, engine, encoding).run(path, advance)
            ),
        )
        return tuple(notes)


class _Rewriting:
    """One film on its way from a container to another."""

    def __init__(
        self, av: Any, film: Any, source: Path, target: Path, engine: Engine, encoding: Encoding
    ) -> None:
        self._av, self._film, self._source, self._target = av, film, source, target
        self._engine, self._encoding = engine, encoding
        self._video = film.streams.video[0]
        self._video.thread_type = "AUTO"
        self._notes: list[str] = []

    def run(self, path: Path, advance: Callable[[int, int | None], None]) -> list[str]:
        """Write everything to ``path``; returns the notes."""
        total, done = self._count(), 0
        with _writing(self._av, path, FORMATS[self._target.suffix.lower()], self._target) as out:
            copies = {s.index: self._copy(out, s) for s in self._film.streams if s.type in COPIED}
            encoder, early = None, []  # the header needs the first picture's size: packets before it wait
            for packet in self._packets():
                if packet.stream.index in copies:
                    if packet.dts is None:
                        continue
                    packet.stream = copies[packet.stream.index]
                    out.mux(packet) if encoder is not None else early.append(packet)
                    continue
                for frame in self._decoded(packet, done):
                    restored = self._restored(frame)
                    if encoder is None:
                        encoder = self._encoder(out, restored)
                        for waiting in early:
                            out.mux(waiting)
                    picture = video_frame(self._av, restored, encoder.pix_fmt, frame)
                    out.mux(encoder.encode(picture))
                    done += 1
                    advance(done, total)
            if encoder is None:
                raise ValueError(f"{self._source} holds no picture that can be read.")
            out.mux(encoder.encode(None))
        if total is not None and done < WHOLE * total:
            self._notes.append(f"{self._source} ends after {done} of about {total} pictures")
        return self._notes

    def _count(self) -> int | None:
        video = self._video
        if video.frames:
            return int(video.frames)
        if not video.average_rate:
            return None
        if video.duration:
            return round(float(video.duration * video.time_base * video.average_rate))
        seconds = self._film.duration / self._av.time_base if self._film.duration else None
        return None if seconds is None else round(seconds * float(video.average_rate))

    def _copy(self, out: Any, stream: Any) -> Any:
        try:
            return out.add_stream_from_template(stream)
        except ValueError as error:
            raise ValueError(
                f"{self._target.suffix} cannot hold the {stream.type} ({stream.codec_context.name}) of "
                f"{self._source}; choose .mkv."
            ) from error

    def _packets(self) -> Iterator[Any]:
        try:
            yield from self._film.demux([self._video, *(s for s in self._film.streams if s.type in COPIED)])
        except self._av.FFmpegError as error:
            raise ValueError(f"Cannot read {self._source}: {error.strerror or error}.") from error

    def _decoded(self, packet: Any, done: int) -> list[Any]:
        try:
            return list(packet.decode())
        except self._av.FFmpegError as error:
            raise ValueError(
                f"Cannot read {self._source} after {done} pictures: {error.strerror}."
            ) from error

    def _restored(self, frame: Any) -> NDArray:
        pixels = np.ascontiguousarray(np.rot90(pixels_of(frame), round(frame.rotation / 90)))
        restored = self._engine.batch([pixels])[0]
        height, width = restored.shape[:2]
        if (height % 2 or width % 2) and not self._notes:
            self._notes.append(f"{width} x {height} is cut to even sides, which films have")
        return np.ascontiguousarray(restored[: height - height % 2, : width - width % 2])

    def _encoder(self, out: Any, picture: NDArray) -> Any:
        height, width = picture.shape[:2]
        deep = picture.dtype == np.uint16
        try:
            stream = out.add_stream(self._encoding.codec, rate=self._video.guessed_rate or 25)
        except ValueError as error:
            raise ValueError(f"There is no encoder {self._encoding.codec!r}: {error}.") from error
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p10le" if deep else "yuv420p"
        stream.options = {"crf": str(self._encoding.crf)}
        stream.codec_context.time_base = self._video.time_base
        tag(stream.codec_context, self._video.codec_context)
        return stream


@contextmanager
def _reading(av: Any, source: Path) -> Iterator[Any]:
    try:
        film = av.open(str(source))
    except av.FFmpegError as error:
        raise ValueError(f"Cannot read {source}: {error.strerror or error}.") from error
    with film:
        yield film


@contextmanager
def _writing(av: Any, path: Path, form: str, target: Path) -> Iterator[Any]:
    """Whatever FFmpeg says inside is about writing: reading has errors of its own."""
    try:
        with av.open(str(path), "w", format=form) as out:
            yield out
    except av.FFmpegError as error:
        raise ValueError(f"Cannot write {target}: {error.strerror or error}.") from error


def _pyav() -> Any:
    try:
        import av
    except ModuleNotFoundError as error:
        raise ValueError("Films need PyAV: pip install av.") from error
    return av
