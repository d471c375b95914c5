"""Sound and subtitles of a film, packet by packet as they are, and what is written on it."""

from pathlib import Path
from typing import Any

COPIED = ("audio", "subtitle")
_OF_THE_CONTAINER = ("encoder", "major_brand", "minor_version", "compatible_brands", "DURATION")
"""Labels that a new file makes for itself; so are those of statistics."""


def copy_tracks(out: Any, film: Any, source: Path, target: Path) -> tuple[dict[int, Any], list[str]]:
    """Streams of ``out`` for the sound and the subtitles of ``film``, by index, and what is left out, in words.

    Raises:
        ValueError: the container of ``target`` cannot hold one of them.
    """
    copies: dict[int, Any] = {}
    notes = []
    for stream in film.streams:
        if stream.type not in COPIED:
            continue
        if stream.codec_context is None:
            notes.append(f"a track ({stream.type}) that FFmpeg does not know is left out")
            continue
        try:
            copy = out.add_stream_from_template(stream)
        except ValueError as error:
            raise ValueError(
                f"{target.suffix} cannot hold the {stream.type} ({stream.codec_context.name}) of {source}; "
                f"choose {others(target)}."
            ) from error
        copy.metadata.update(_labels(stream.metadata))
        copy.disposition = stream.disposition
        copies[stream.index] = copy
    return copies, notes


def others(target: Path) -> str:
    """Containers that hold much, other than that of ``target``, in words."""
    return " or ".join(suffix for suffix in (".mkv", ".mov") if suffix != target.suffix.lower())


def copy_labels(film: Any, out: Any) -> None:
    """Title, date, place and chapters."""
    out.metadata.update(_labels(film.metadata))
    chapters = film.chapters()
    if chapters:
        out.set_chapters(chapters)


def _labels(metadata: dict[str, str]) -> dict[str, str]:
    return {
        key: value
        for key, value in metadata.items()
        if key not in _OF_THE_CONTAINER and not key.startswith("_STATISTICS")
    }
