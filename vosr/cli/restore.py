"""``restore``: photographs from files or folders."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from vosr.cli.cluster import add_cluster_arguments, cluster_of
from vosr.cli.engine import add_engine_arguments, recipe_of
from vosr.cli.errors import INTERRUPTED, fail
from vosr.cli.progress import Display
from vosr.core.pool import cores
from vosr.core.ray_cluster import RayCluster
from vosr.core.shard import JobShard
from vosr.imaging.formats import format_of
from vosr.imaging.gallery import write_gallery
from vosr.imaging.layout import Profile
from vosr.imaging.writing import Encoding
from vosr.jobs.devices import Work, run_on_devices
from vosr.jobs.files import Frames, Writing
from vosr.jobs.job import Done, Event, OutputError, Skipped
from vosr.jobs.manifest import MANIFEST, Manifest
from vosr.jobs.on_ray import restore_on_ray
from vosr.jobs.plan import COMPARISONS, JobPlan
from vosr.jobs.video import SUFFIXES

FormatName = Literal["png", "jpeg", "webp", "tiff", "bmp", "avif", "same"]


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("photos", nargs="+", type=Path, help="Images or folders of images.")
    parser.add_argument("-o", "--output", type=Path, default=Path("restored"), help="Output folder, or file.")
    add_engine_arguments(parser)
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:1, mps, …; several with commas (cuda:0,cuda:1) share the images.",
    )
    _add_file_arguments(parser)
    _add_folder_arguments(parser)
    add_cluster_arguments(parser)


def _add_file_arguments(parser: ArgumentParser) -> None:
    files = parser.add_argument_group("Files")
    files.add_argument(
        "--format",
        type=FormatName | None,
        help="Of the results; by default PNG, or what the output file's name says. same: as the input.",
    )
    files.add_argument(
        "--quality", type=int, default=95, help="Of JPEG, WebP and AVIF; WebP is lossless at 100."
    )
    files.add_argument("--profile", type=Profile, default="input", help="Colour profile of the results.")
    files.add_argument("--frames", type=Frames, default="first", help="Of files that hold several images.")


def _add_folder_arguments(parser: ArgumentParser) -> None:
    folders = parser.add_argument_group("Folders")
    folders.add_argument(
        "--skip_existing",
        "--skip-existing",
        type=bool,
        default=True,
        help="Leave out images whose output exists; false restores them again.",
    )
    folders.add_argument("--batch_size", type=int, default=1, help="Images of one size restored together.")
    folders.add_argument(
        "--workers", type=int | None, help="Processes that read and write for each device; 0 for none."
    )
    folders.add_argument(
        "--shard",
        type=str | None,
        help="i/n: the i-th of n parts, for n machines; if not given, what SLURM or torchrun have launched.",
    )
    folders.add_argument(
        "--manifest",
        type=Path | None,
        help="JSON lines; by default manifest.jsonl in the output of a folder.",
    )
    folders.add_argument(
        "--compare",
        action="store_true",
        help="Write before-and-after images, and pages with a slider, to comparison/ in the output.",
    )
    folders.add_argument("--quiet", action="store_true", help="Show errors only.")
    folders.add_argument(
        "--timings", action="store_true", help="Report the seconds of each stage at the end."
    )


def run(options: Namespace) -> int:
    """Restore every photo; status 1 if some failed, 2 if nothing could be done."""
    plan, devices = _plan(options), options.device.split(",")
    cluster = cluster_of(options)
    if options.timings and len(devices) > 1:
        raise ValueError("--timings reports the stages of one device; give --device one name.")
    if options.timings and cluster is not None:
        raise ValueError(
            "--timings reports the stages of one device, not of a cluster; leave out one of the two."
        )
    if cluster is not None and len(devices) > 1:
        raise ValueError("--device names the device of each worker with --engine ray; give it one name.")
    encoding = Encoding(options.profile, options.quality)
    workers = (
        _workers(plan, len(devices)) if options.workers is None and cluster is None else options.workers or 0
    )
    work = Work(recipe_of(options), plan, Writing(encoding, options.frames), options.batch_size, workers)
    plan.check()
    work.check()
    display = Display(plan, options.quiet)
    with Manifest(options.manifest or _manifest(plan)) as manifest, display, _pages(plan, display):
        try:
            _run(work, devices, cluster, display, manifest, asdict(encoding), options.timings)
        except KeyboardInterrupt:
            fail(
                f"Interrupted after {display.tally.restored} images; run the same command again to go on.",
                INTERRUPTED,
            )
        except OutputError:  # its image was reported like any that failed
            display.complain("Stopped, as nothing more can be written; run the same command again to go on.")
        except ValueError as error:
            if not display.tally.restored:
                raise
            display.complain(str(error))
    display.conclude(manifest)
    return display.status


@contextmanager
def _pages(plan: JobPlan, display: Display) -> Iterator[None]:
    """Write the comparisons' pages at the end, however it comes."""
    try:
        yield
    finally:
        folder = plan.folder / COMPARISONS
        if plan.compare and folder.is_dir():
            display.pages = write_gallery(folder, plan.folder)


def _run(
    work: Work,
    devices: list[str],
    cluster: RayCluster | None,
    display: Display,
    manifest: Manifest,
    written: dict[str, object],
    timed: bool,
) -> None:
    def opened(settings: dict[str, object]) -> None:
        manifest.begin(settings | written)

    def report(event: Event) -> None:
        display.add(event)
        if isinstance(event, Done):
            manifest.add(event)
        elif isinstance(event, Skipped):
            manifest.found(event.jobs)

    if cluster is not None:
        restore_on_ray(work, cluster, devices[0], report, opened)
        return
    if len(devices) > 1:
        run_on_devices(work, devices, report, opened)
        return
    start = time.monotonic()
    restorer = work.recipe.open(devices[0])
    loading = time.monotonic() - start
    opened(work.recipe.record(restorer))
    restorer.watch(display.stage, timed)
    work.run(restorer, report)
    if timed:
        display.timings = {"load": loading, **restorer.timings()}


def _plan(options: Namespace) -> JobPlan:
    """What was asked for.

    Raises:
        ValueError: the output file's name and the format contradict each other, or a film.
    """
    for source in options.photos:
        if source.suffix.lower() in SUFFIXES and source.is_file():
            raise ValueError(f"{source} is a film, which python main.py video restores.")
    plan = JobPlan(
        tuple(options.photos),
        options.output,
        options.format or "png",
        options.skip_existing,
        options.compare,
    )
    if options.shard is not None or not plan.single:  # each task of an array may have an image of its own
        plan = replace(plan, shard=JobShard.given(options.shard))
    if options.manifest is not None and format_of(options.manifest) is not None:
        raise ValueError(
            f"--manifest {options.manifest} is named as an image, and lines would be added to it."
        )
    named = format_of(plan.output) if plan.to_file else None
    if named is not None and options.format not in (None, named.name):
        raise ValueError(f"{plan.output} is not named as a {options.format} file; leave out one of the two.")
    return plan


def _manifest(plan: JobPlan) -> Path | None:
    """Where results are recorded; machines that share a folder write a file each."""
    if plan.single:
        return None
    part = f"_{plan.shard.index + 1}_of_{plan.shard.count}" if plan.shard.count > 1 else ""
    return plan.folder / MANIFEST.replace(".", f"{part}.")


def _workers(plan: JobPlan, devices: int) -> int:
    """Processes for each device: one per core that the devices leave, up to eight; none for a single image."""
    return 0 if plan.single else min(8, max(1, cores() // devices - 1))
