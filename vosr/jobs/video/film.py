"""A film: its images are restored one by one, sound and subtitles are copied as they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from vosr.core.files.atomic import write_atomically
from vosr.jobs.leftovers import clean_listing
from vosr.jobs.video.colours import pixels_of, tag, unsupported_features, video_frame
from vosr.jobs.video.containers import decoded, first_image, import_pyav, moving, reading, writing
from vosr.jobs.video.times import Times, seconds_of, step_of
from vosr.jobs.video.tracks import copy_labels, copy_tracks, others

if TYPE_CHECKING:  # help does without torch
    from vosr.inference import Restorer, Settings

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Containers that are written, by suffix."""
SUFFIXES = (*FORMATS, ".avi", ".mpeg", ".mpg", ".webm", ".wmv")
"""By which a file is taken for a film."""
WHOLE = 0.95
"""Share of the time that a film announces, below which it is reported as torn."""

CodecName = Literal["libx264", "libx265", "libsvtav1"]
Advance = Callable[[int, float | None], None]


@dataclass(frozen=True)
class VideoEncoding:
    """How the images are written.

    Attributes:
        codec: encoder of FFmpeg.
        crf: constant rate factor; 0 loses nothing, each 6 more about halve the file.
    """

    codec: CodecName = "libx264"
    crf: int = 16


def restore_film(
    source: Path,
    target: Path,
    restorer: "Restorer",
    settings: "Settings",
    encoding: VideoEncoding,
    advance: Advance,
) -> tuple[str, ...]:
    """Restore every image of a film by itself.

    Times, sound, subtitles and their labels stay. Turned images (phones) are stored upright. More than 8 bits become
    10.

    Args:
        source: any film that FFmpeg reads.
        target: its suffix says the container, see :data:`FORMATS`; complete or absent.
        restorer: the model.
        settings: of every image.
        encoding: codec and quality.
        advance: called with the number of images so far and, where the film's length is known, the share of it.

    Returns:
        What was changed or lost, in words.

    Raises:
        ValueError: no film, one that cannot be read or written so, or PyAV is not installed.
    """
    av = import_pyav()
    if target.suffix.lower() not in FORMATS:
        raise ValueError(
            f"A film's name must end in {', '.join(FORMATS)}, not {target.suffix or target.name!r}."
        )
    first = first_image(av, source)
    with reading(av, source) as film:
        target.parent.mkdir(parents=True, exist_ok=True)
        clean_listing(target.parent)
        work = _Rewriting(av, film, source, target, restorer, settings, encoding)
        write_atomically(target, lambda path: work.run(path, first, advance))
        return tuple(work.notes)


class _Rewriting:
    """One film on its way from a container to another."""

    def __init__(
        self,
        av: Any,
        film: Any,
        source: Path,
        target: Path,
        restorer: "Restorer",
        settings: "Settings",
        encoding: VideoEncoding,
    ) -> None:
        self._av, self._film, self._source, self._target = av, film, source, target
        self._restorer, self._settings, self._encoding = restorer, settings, encoding
        self._video = moving(av, film, source)
        self._video.thread_type = "AUTO"
        self._damaged = 0
        self._durations: dict[int, int] = {}
        self.notes: list[str] = []

    def run(self, path: Path, first: Any, advance: Advance) -> None:
        """Write everything to ``path``; ``first`` is the film's first image."""
        with writing(self._av, path, FORMATS[self._target.suffix.lower()], self._target) as out:
            encoder = self._encoder(out, first)
            copies, notes = copy_tracks(out, self._film, self._source, self._target)
            self.notes += [*unsupported_features(first), *notes]
            copy_labels(self._film, out)
            self._begin(out)
            times, length = Times(step_of(self._video)), seconds_of(self._video)
            done, last = 0, 0.0
            for packet in self._packets(list(copies)):
                if packet.stream.index in copies:
                    if packet.dts is not None:
                        packet.stream = copies[packet.stream.index]
                        out.mux(packet)
                    continue
                for frame in self._decoded(packet):
                    restored = self._restored(frame, (encoder.width, encoder.height))
                    image = video_frame(self._av, restored, encoder.pix_fmt, frame)
                    image.pts, image.time_base = times.following(frame.pts), self._video.time_base
                    self._durations[image.pts] = frame.duration
                    out.mux(self._lasting(encoder.encode(image)))
                    done, last = done + 1, float(image.pts * image.time_base) - self._start
                    advance(done, min(1.0, last / length) if length else None)
            if not done:
                raise ValueError(f"{self._source} holds no image that can be read.")
            out.mux(self._lasting(encoder.encode(None)))
        self._report_damage(done, last + float(step_of(self._video) * self._video.time_base), length)

    def _lasting(self, packets: list[Any]) -> list[Any]:
        """Packets with the durations of their images: of the last one, nothing else gives how long it is shown."""
        for packet in packets:
            duration = self._durations.pop(packet.pts, 0)
            if duration:
                packet.duration = duration
        return packets

    @property
    def _start(self) -> float:
        return float((self._video.start_time or 0) * self._video.time_base)

    def _report_damage(self, done: int, seconds: float, length: float | None) -> None:
        if self._damaged:
            self.notes.append(f"{self._damaged} damaged parts of {self._source} were passed over")
        if length and seconds < WHOLE * length:
            self.notes.append(f"{self._source} ends after {seconds:.1f} of {length:.1f} s ({done} images)")

    def _packets(self, copied: list[int]) -> Iterator[Any]:
        streams = [self._film.streams[index] for index in copied]
        try:
            yield from self._film.demux([self._video, *streams])
        except self._av.FFmpegError as error:
            raise ValueError(f"Cannot read {self._source}: {error.strerror or error}.") from error

    def _decoded(self, packet: Any) -> list[Any]:
        frames = decoded(self._av, packet)
        self._damaged += frames is None
        return frames or []

    def _restored(self, frame: Any, size: tuple[int, int]) -> NDArray:
        try:
            pixels = pixels_of(frame)
        except (self._av.FFmpegError, ValueError) as error:
            raise ValueError(f"Cannot read the colours ({frame.format.name}) of {self._source}.") from error
        upright = np.ascontiguousarray(np.rot90(pixels, _quarters(frame)))
        restored = self._restorer.restore_batch([upright], self._settings)[0]
        height, width = (side - side % 2 for side in restored.shape[:2])
        if (width, height) != size:
            raise ValueError(f"The images of {self._source} change their size; split it where they do.")
        return np.ascontiguousarray(restored[:height, :width])

    def _encoder(self, out: Any, first: Any) -> Any:
        sides = (first.height, first.width) if _quarters(first) % 2 else (first.width, first.height)
        width, height = self._restorer.output_size(*sides, self._settings)
        if height % 2 or width % 2:
            self.notes.append(f"{width} x {height} is cut to even sides, which films have")
        deep = any(component.bits > 8 for component in first.format.components)
        try:
            stream = out.add_stream(self._encoding.codec, rate=self._video.guessed_rate or 25)
        except (ValueError, self._av.FFmpegError) as error:
            raise ValueError(f"{self._target.suffix} cannot hold {self._encoding.codec}: {error}.") from error
        stream.width, stream.height = width - width % 2, height - height % 2
        stream.pix_fmt = "yuv420p10le" if deep else "yuv420p"
        stream.options = {"crf": str(self._encoding.crf)}
        context = stream.codec_context
        context.time_base = self._video.time_base
        tag(context, self._video.codec_context)
        aspect = self._video.sample_aspect_ratio
        if aspect and aspect != 1:
            aspect = 1 / aspect if _quarters(first) % 2 else aspect
            context.sample_aspect_ratio = Fraction(aspect * sides[0] * height / (sides[1] * width))
        return stream

    def _begin(self, out: Any) -> None:
        try:
            out.start_encoding()
        except self._av.FFmpegError as error:
            held = ", ".join(f"{s.type} ({s.codec_context.name})" for s in out.streams if s.codec_context)
            raise ValueError(
                f"{self._target.suffix} cannot hold what is in {self._source}: {held}; choose {others(self._target)}."
            ) from error


def _quarters(frame: Any) -> int:
    """Quarter turns counter-clockwise that make a frame upright."""
    return round(frame.rotation / 90) % 4
