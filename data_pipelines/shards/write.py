"""The ``shards`` command."""

import itertools
import json
import os
import signal
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from data_pipelines.shards.duplicates import Duplicates
from data_pipelines.shards.examine import Product, examine
from data_pipelines.shards.inputs import Input, Item, find_items, inputs_of, known_total
from data_pipelines.shards.options import Encoding, Options
from data_pipelines.shards.packer import JOURNAL_NAME, Chapter, Journal, Packer
from data_pipelines.sources.fields import Fields, KeyRule
from data_pipelines.sources.index import INDEX_NAME, read_index, write_index

KEY_BYTES = 60
"""Longest part of a file name that is taken into a key: tar allows 100 bytes in all."""
AHEAD = 8
"""Inputs per process that are worked on ahead of the one being packed."""


def write_shards(
    sources: list[str],
    out: str,
    max_samples: int = 10_000,
    max_megabytes: float = 500,
    tile: int | None = None,
    encode: Encoding | None = None,
    min_side: int = 0,
    min_gradient: float = 0,
    min_entropy: float = 0,
    keep_duplicates: bool = False,
    near_duplicates: int | None = None,
    shuffle_seed: int | None = 0,
    hq: str | None = None,
    key: KeyRule = "sample",
    processes: int | None = None,
) -> int:
    """Pack images into WebDataset shards with an index, leaving out what is not fit for training.

    Original bytes are kept unless ``tile`` or ``encode`` asks for new ones. A run that was interrupted goes
    on where it stopped when it is started again with the same arguments.

    Args:
        sources: folders (searched recursively), images, lists (.txt), tar shards, patterns or URLs.
        out: folder for the shards, index.json and dropped.tsv.
        max_samples: samples per shard at most.
        max_megabytes: size of a shard in 10^6 bytes, exceeded by one image at most.
        tile: cut images into squares of this many pixels; those of less than two stay whole.
        encode: encode all images anew as png, webp (lossless) or jpeg (quality 95); tiles are webp by
            default.
        min_side: leave out images whose shorter side has fewer pixels.
        min_gradient: leave out images or tiles whose mean step between neighbouring pixels is below this
            many levels of 255; 2 drops skies and blur.
        min_entropy: leave out images or tiles whose grey values have fewer bits of entropy; 4 drops flat
            ones.
        keep_duplicates: keep images or tiles that were packed before with the very same bytes.
        near_duplicates: leave out those whose perceptual hash differs from an earlier one's in at most this
            many of 64 bits; 4 finds recompressed and resized copies.
        shuffle_seed: shuffles files and archives; null keeps the order of names.
        hq: member of a sample that is judged, as in data.hq; all members are packed.
        key: what forms a sample in an archive: "sample", the files whose names agree up to the first dot, or "file".
        processes: processes that decode; all cores by default.

    Returns:
        Exit status, 0.

    Raises:
        ValueError: nothing to pack, nothing left, or ``out`` holds something else.
    """
    options = Options(
        max_samples, max_megabytes, tile, encode, min_side, min_gradient, min_entropy, keep_duplicates,
        near_duplicates, shuffle_seed, hq, key,
    )  # fmt: skip
    folder = Path(out)
    settings: dict[str, object] = {"sources": sources, "options": asdict(options)}
    if (folder / INDEX_NAME).exists():
        _check_finished(folder, settings)
        return 0
    if processes is not None and processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}.")
    items = find_items(
        sources, options.shuffle_seed, Fields(hq), key
    )  # before the folder is made: a source may be wrong
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder, settings)
    _pack(items, folder, options, journal, processes or os.cpu_count() or 1)
    return _conclude(folder, journal, settings)


def _pack(items: list[Item], out: Path, options: Options, journal: Journal, processes: int) -> None:
    memory = Duplicates(not options.keep_duplicates, options.near_duplicates)
    for chapter in journal.chapters:
        for checksum, fingerprint in chapter.marks:
            memory.remember(checksum, fingerprint)
        chapter.marks.clear()
    packer = Packer(out, options, len(journal.shards))
    done = journal.inputs
    chapter = Chapter(done, None)
    with _started(processes) as pool, _progress() as progress:
        task = progress.add_task("Packing", total=known_total(items), completed=done, shards=packer.number)
        for one, products in _examined(
            itertools.islice(inputs_of(items, options.key), done, None), options, pool, processes
        ):
            chapter.inputs += 1
            for product in products:
                _place(one, product, chapter, memory, packer)
            progress.update(task, advance=1, shards=packer.number)
            if packer.full:
                chapter.shard = packer.finish()
                journal.add(chapter)
                chapter = Chapter(chapter.inputs, None)
    chapter.shard = packer.finish()
    journal.add(chapter)


def _started(processes: int) -> ProcessPoolExecutor:
    """A pool that is there before the progress bar starts its thread, and leaves Ctrl-C to us."""
    pool = ProcessPoolExecutor(processes, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    pool.submit(os.getpid).result()
    return pool


def _examined(
    inputs: Iterator[Input], options: Options, pool: ProcessPoolExecutor, processes: int
) -> Iterator[tuple[Input, list[Product]]]:
    """Inputs with what they give, in order; a bounded number is held in memory."""
    waiting: deque[tuple[Input, Future[list[Product]]]] = deque()
    for one in inputs:
        waiting.append((one, pool.submit(examine, one, options)))
        if len(waiting) >= AHEAD * processes:
            oldest, future = waiting.popleft()
            yield oldest, future.result()
    for one, future in waiting:
        yield one, future.result()


def _place(one: Input, product: Product, chapter: Chapter, memory: Duplicates, packer: Packer) -> None:
    name = one.name + product.suffix
    reason, detail = product.dropped or memory.reason(product.checksum, product.fingerprint), product.detail
    members: dict[str, bytes] = {}
    if not reason:
        try:
            members = one.load() if product.encoded is None else {product.kind: product.encoded}
        except OSError as error:  # the file went away after it was examined
            reason, detail = "unreadable_file", str(error)
    if reason:
        chapter.dropped.append((name, reason, detail))
        return
    memory.remember(product.checksum, product.fingerprint)
    chapter.marks.append((product.checksum, product.fingerprint))
    stem = (one.key + product.suffix).replace(".", "_").encode()[:KEY_BYTES].decode(errors="ignore")
    packer.add(f"{chapter.inputs:09d}-{stem}", members, product.pixels)


def _conclude(folder: Path, journal: Journal, settings: dict[str, object]) -> int:
    entries, dropped = journal.shards, journal.dropped()
    with (folder / "dropped.tsv").open("w") as file:
        file.write("name\treason\tdetail\n")
        for chapter in journal.chapters:
            for row in chapter.dropped:
                file.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")
    if not entries:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
        (folder / JOURNAL_NAME).unlink()
        raise ValueError(f"No image is left to pack ({reasons}); {folder / 'dropped.tsv'} lists them.")
    write_index(
        folder, entries, **json.loads(json.dumps(settings)), inputs=journal.inputs, dropped=dict(dropped)
    )
    (folder / JOURNAL_NAME).unlink()
    _report(folder)
    return 0


def _check_finished(folder: Path, settings: dict[str, object]) -> None:
    index = folder / INDEX_NAME
    entries, content = read_index(index.read_text(), str(index)), json.loads(index.read_text())
    if any(content.get(key) != json.loads(json.dumps(settings))[key] for key in settings):
        raise ValueError(
            f"{folder} holds shards of other sources or options; choose another folder, or delete it."
        )
    missing = [entry.name for entry in entries if not (folder / entry.name).exists()]
    if missing:
        raise ValueError(f"{folder} has lost {', '.join(missing[:3])}; delete the folder and write it again.")
    _report(folder)


def _report(folder: Path) -> None:
    content = json.loads((folder / INDEX_NAME).read_text())
    table = Table("", "images", title=f"{len(content['shards'])} shards in {folder}", title_justify="left")
    table.add_row(f"packed ({content['bytes'] / 1e6:.1f} MB)", str(content["samples"]))
    for reason, count in sorted(content["dropped"].items(), key=lambda item: -item[1]):
        table.add_row(f"left out: {reason.replace('_', ' ')}", str(count))
    console = Console(soft_wrap=True)
    console.print(table)
    if content["dropped"]:
        console.print(f"What was left out, one by one: {folder / 'dropped.tsv'}")
    console.print(f"Next: python main.py fit --config configs/teacher.yaml --data.train={folder}")


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} images"),
        TextColumn("{task.fields[shards]} shards"), TimeElapsedColumn(),
    )  # fmt: skip
    return Progress(*columns)
