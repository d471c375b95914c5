"""From the files and folders that a user names to jobs, one at a time."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vosr.core.files.listing import Complain
from vosr.core.shard import WHOLE, JobShard
from vosr.imaging.formats import FORMATS, SUFFIXES, by_suffix, format_of
from vosr.imaging.gallery import MARKS
from vosr.imaging.names import fitting
from vosr.jobs.find import images_below
from vosr.jobs.job import Done, Job, PassedOver, Reporter, Skipped
from vosr.jobs.leftovers import clean_listing
from vosr.jobs.names import SAME, output_names, suffix_for

COMPARISONS = "comparison"
"""Folder of the before-and-after images within the output."""


@dataclass(frozen=True)
class JobPlan:
    """The files and folders to restore, and where the results go.

    Attributes:
        sources: images and folders.
        output: a folder, or the file for a single image.
        form: format of the results: a name of FORMATS, or "same".
        skip_existing: leave out what has its output file already; a single image is always restored.
        compare: also write before-and-after images.
        shard: the part that is done here.
    """

    sources: tuple[Path, ...]
    output: Path
    form: str = "png"
    skip_existing: bool = True
    compare: bool = False
    shard: JobShard = WHOLE

    @property
    def single(self) -> bool:
        """Whether it is one image, not a folder or a list."""
        return len(self.sources) == 1 and not self.sources[0].is_dir()

    @property
    def to_file(self) -> bool:
        """Whether the output is the one file itself."""
        return self.single and format_of(self.output) is not None and not self.output.is_dir()

    @property
    def folder(self) -> Path:
        """Where everything is written below."""
        return self.output.parent if self.to_file else self.output

    def check(self) -> None:
        """Refuse what cannot be done, before a model is loaded.

        Raises:
            ValueError: no such file or folder, no images, or an output that cannot be.
        """
        if self.form != SAME and self.form not in FORMATS:
            raise ValueError(f"format must be {', '.join(FORMATS)} or {SAME}, not {self.form!r}.")
        for source in self.sources:
            if not source.exists():
                raise ValueError(f"No file or folder {source}.")
        if not self.to_file:
            self._check_folder()
        self._check_writable()
        for source in self.sources:
            unread: list[Path] = []
            if (
                source.is_dir()
                and next(images_below(source, self.output, lambda *_: None, unread.append), None) is None
            ):
                others = f" It holds {by_suffix(unread)}, which are not read." if unread else ""
                raise ValueError(f"No images in {source}; looked for {', '.join(SUFFIXES)}.{others}")
        self._check_apart()

    def _check_folder(self) -> None:
        if format_of(self.output) is not None and not self.output.is_dir():
            raise ValueError(f"{self.output} is one file, but there can be several images; give a folder.")
        for source in self.sources:
            folder = source if source.is_dir() else source.parent
            if not self.single and self.output.exists() and folder.samefile(self.output):
                raise ValueError(f"{self.output} holds the images themselves; choose another output folder.")

    def _check_apart(self) -> None:
        """Results never stand where sources stand."""
        if self.single:
            self._check_single()
        roots = self._roots()
        for root, place in roots:
            for other, _ in roots:
                if _within(self.output / place, other) and not _within(self.output, other):
                    raise ValueError(
                        f"The results of {root} would stand in {other}, among the images themselves; "
                        "choose another output folder."
                    )

    def _check_single(self) -> None:
        source, target = self.sources[0], self._target_of_single()
        if not target.exists():
            return
        if target.samefile(source):
            raise ValueError(f"{source} would overwrite itself; choose another output.")
        if not self.to_file and self.output.samefile(source.parent):
            raise ValueError(
                f"{target} stands beside {source} already and may be a photograph; choose another output folder, or "
                "name the file itself to replace it."
            )

    def _check_writable(self) -> None:
        above = next(folder for folder in (self.folder, *self.folder.absolute().parents) if folder.exists())
        if not above.is_dir():
            raise ValueError(f"{above} is a file; give a folder, or a name that ends in .png or .jpg.")
        if not os.access(above, os.W_OK | os.X_OK):
            raise ValueError(f"No permission to write in {above}; choose another output.")

    def jobs(self, report: Reporter) -> Iterator[Job]:
        """Jobs in a fixed order; what is left out or cannot be listed is reported."""
        if self.single:
            target = self._target_of_single()
            comparison = (
                self.folder / COMPARISONS / f"{fitting(target.name, MARKS)}.png" if self.compare else None
            )
            if self.shard.holds(target.name):
                yield Job(self.sources[0], target, comparison)
            return

        def complain(folder: Path, reason: str) -> None:
            report(Done(Job(folder, self.output), error=f"Cannot list {folder}: {reason}."))

        def pass_over(source: Path) -> None:
            if self.shard.holds(source.name):
                report(PassedOver(source))

        for below, sources in self._by_folder(complain, pass_over):
            jobs = [
                self._job(source, below / name)
                for source, name in zip(sources, output_names(sources, self.form))
                if self.shard.holds((below / name).as_posix())
            ]
            left = self._unfinished(jobs, below) if self.skip_existing else jobs
            if len(left) < len(jobs):
                kept = set(left)
                report(Skipped(len(jobs) - len(left), tuple(job for job in jobs if job not in kept)))
            yield from self._apart(left, below, report)

    def _apart(self, jobs: list[Job], below: Path, report: Reporter) -> Iterator[Job]:
        """Jobs whose results do not stand where a source stands; the others are reported."""
        folder = self.output / below
        led_into = next((root for root, _ in self._roots() if self._leads_into(folder, root)), None)
        for job in jobs:
            if led_into is not None:
                report(
                    Done(
                        job,
                        error=f"{folder} leads into {led_into}, where the images are; {job.source} was left.",
                    )
                )
            elif job.target.exists() and job.target.samefile(job.source):
                report(
                    Done(
                        job, error=f"{job.source} would be overwritten by its result; choose another output."
                    )
                )
            else:
                yield job

    def _leads_into(self, folder: Path, root: Path) -> bool:
        """Whether a folder of the output is, by a link, one of the sources'."""
        return _within(folder, root) and not _within(folder, self.output)

    def count(self) -> int:
        """How many images there are in this shard, finished or not."""
        if self.single:
            return int(self.shard.holds(self._target_of_single().name))
        return sum(
            self.shard.holds((below / name).as_posix())
            for below, sources in self._by_folder(lambda *_: None)
            for name in output_names(sources, self.form)
        )

    def _target_of_single(self) -> Path:
        if self.to_file:
            return self.output
        return self.output / fitting(self.sources[0].stem + suffix_for(self.sources[0], self.form))

    def _by_folder(
        self, complain: Complain, unread: Callable[[Path], object] = lambda path: None
    ) -> Iterator[tuple[Path, list[Path]]]:
        """Output folders relative to the output, each with the images that go there."""
        files = [source for source in self.sources if not source.is_dir()]
        if files:
            yield Path(), files
        for root, place in self._roots():
            for below, images in images_below(root, self.output, complain, unread):
                yield place / below, images

    def _roots(self) -> list[tuple[Path, Path]]:
        """Folders among the sources, each with the place where it is mirrored."""
        roots = [source for source in self.sources if source.is_dir()]
        return list(zip(roots, _places(roots, alone=len(roots) == len(self.sources))))

    def _job(self, source: Path, relative: Path) -> Job:
        name = f"{fitting(relative.name, MARKS)}.png"
        comparison = self.output / COMPARISONS / relative.parent / name if self.compare else None
        return Job(source, self.output / relative, comparison)

    def _unfinished(self, jobs: list[Job], below: Path) -> list[Job]:
        """Those whose files are not there; folders are listed once instead of asking for every file."""
        present = clean_listing(self.output / below)
        compared = clean_listing(self.output / COMPARISONS / below) if self.compare else set()
        return [
            job
            for job in jobs
            if job.target.name not in present
            or (job.comparison is not None and job.comparison.name not in compared)
        ]


def _within(folder: Path, outer: Path) -> bool:
    return folder.resolve().is_relative_to(outer.resolve())


def _places(roots: list[Path], alone: bool) -> list[Path]:
    """Where each folder is mirrored: at the top if it is the only source, else in a folder of its name."""
    if alone and len(roots) == 1:
        return [Path()]
    places, taken = [], Counter[str]()
    for root in roots:
        name = root.resolve().name
        taken[name] += 1
        places.append(Path(name if taken[name] == 1 else f"{name}_{taken[name]}"))
    return places
