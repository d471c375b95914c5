"""``video``: films, image by image."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vosr.cli.engine import add_engine_arguments, recipe_of
from vosr.cli.errors import INTERRUPTED, fail
from vosr.core.console import PlainConsole
from vosr.imaging.formats import SUFFIXES as IMAGES
from vosr.jobs.video import FORMATS, SUFFIXES, CodecName, VideoEncoding, restore_film


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("film", type=Path, help="Any film that FFmpeg reads.")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("restored"), help="Folder, or a name in .mp4, .mov or .mkv."
    )
    add_engine_arguments(parser)
    parser.set_defaults(seed=0)  # one noise for all images: less flicker than each its own
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, ….")
    written = parser.add_argument_group("File")
    written.add_argument("--codec", type=CodecName, default="libx264", help="Encoder of FFmpeg.")
    written.add_argument("--crf", type=int, default=16, help="Constant rate factor: smaller is better.")


def run(options: Namespace) -> int:
    """Restore the film; nothing is left of it when that is interrupted."""
    source, target = options.film, _target(options.film, options.output)
    if not source.is_file():
        raise ValueError(f"No film {source}.")
    if source.suffix.lower() in IMAGES:
        raise ValueError(f"{source} is an image, which python main.py restore restores.")
    if target.exists() and target.samefile(source):
        raise ValueError(f"{source} would overwrite itself; choose another output.")
    if not 0 <= options.crf <= 63:
        raise ValueError(f"crf must be within 0 to 63, not {options.crf}.")
    recipe = recipe_of(options)
    restorer = recipe.open(options.device)
    console = PlainConsole(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Restoring", total=None)
        done = 0

        def advance(count: int, share: float | None) -> None:
            nonlocal done
            done = count
            total = None if share is None else 1.0
            progress.update(task, description=f"{count} images", completed=share or 0.0, total=total)

        try:
            notes = restore_film(
                source, target, restorer, recipe.settings, VideoEncoding(options.codec, options.crf), advance
            )
        except KeyboardInterrupt:
            fail(f"Interrupted after {done} images; nothing was kept.", INTERRUPTED)
    out = PlainConsole()
    out.print(f"Restored {done} images: {target}")
    for note in ("every image was restored by itself, so fine detail may flicker", *notes):
        out.print(f"Note: {note}")
    return 0


def _target(source: Path, output: Path) -> Path:
    if output.suffix.lower() in FORMATS and not output.is_dir():
        return output
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise ValueError(f"A film's name must end in {', '.join(FORMATS)}, not {output.suffix}.")
    suffix = source.suffix.lower() if source.suffix.lower() in FORMATS else ".mkv"
    return output / (source.stem + suffix)
