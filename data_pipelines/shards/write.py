"""The ``shards`` command."""

import itertools
import json
import os
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from data_pipelines.failures import Reason
from data_pipelines.shards.duplicates import Duplicates
from data_pipelines.shards.examine import Product, examine
from data_pipelines.shards.inputs import Input, Item, find_items, inputs_of, known_total
from data_pipelines.shards.options import ImageEncoding, Options
from data_pipelines.shards.packer import JOURNAL_NAME, Journal, JournalEntry, Packer
from data_pipelines.shards.parts import DROPPED, merge_parts, part_folder
from data_pipelines.shards.report import print_report
from data_pipelines.sources.fields import Fields, KeyRule
from data_pipelines.sources.index import INDEX_NAME, read_index, write_index
from vosr.core.console import PlainConsole
from vosr.core.files.lock import locked
from vosr.core.files.shown import reason, shown
from vosr.core.pool import Pool, Task, cores
from vosr.core.shard import JobShard

KEY_BYTES = 60
"""Longest part of a file name that is taken into a key: tar allows 100 bytes in all."""
KIND_BYTES = 24
"""Longest type of a member."""
AHEAD = 8
"""Inputs per process that are worked on ahead of the one being packed."""


def write_shards(
    sources: list[str],
    out: str,
    max_samples: int = 10_000,
    max_megabytes: float = 500,
    tile: int | None = None,
    encode: ImageEncoding | None = None,
    min_side: int = 0,
    min_gradient: float = 0,
    min_entropy: float = 0,
    keep_duplicates: bool = False,
    near_duplicates: int | None = None,
    shuffle_seed: int | None = 0,
    hq: str | None = None,
    key: KeyRule = "sample",
    processes: int | None = None,
    shard: str | None = None,
    merge: bool = True,
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
        shard: "i/n" packs the i-th of n parts, for machines that share the work; if not given, what SLURM or torchrun
            have launched. The last one to end makes one index. Duplicates are looked for within each part.
        merge: let the last one of several parts make the index; false leaves that to another call.

    Returns:
        Exit status, 0.

    Raises:
        ValueError: nothing to pack, nothing left, or ``out`` holds something else.
    """
    options = Options(
        max_samples, max_megabytes, tile, encode, min_side, min_gradient, min_entropy, keep_duplicates,
        near_duplicates, shuffle_seed, hq, key,
    )  # fmt: skip
    folder, part = Path(out), JobShard.given(shard)
    settings: dict[str, object] = {"sources": sources, "options": asdict(options)}
    if (folder / INDEX_NAME).exists():
        _check_finished(folder, settings)
        print_report(folder)
        return 0
    if processes is not None and processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}.")
    # before the folder is made: a source may be wrong
    items = find_items(sources, options.shuffle_seed, Fields(hq), key)
    if part.count > 1:
        own = part_folder(folder, part)
        _write(
            items[part.index :: part.count], own, options, settings | {"shard": str(part)}, processes, part
        )
        if not merge:
            return 0
        if merge_parts(folder, part.count, settings):
            print_report(folder)
        else:
            PlainConsole().print(f"Part {part} is packed; the last one to end makes the index of {folder}.")
    else:
        _write(items, folder, options, settings, processes, part)
        print_report(folder)
    return 0


def _write(
    items: list[Item],
    folder: Path,
    options: Options,
    settings: dict[str, object],
    processes: int | None,
    part: JobShard,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if (
            folder / INDEX_NAME
        ).exists():  # another run was faster; an interrupted merge has moved shards of a part
            _check_finished(folder, settings, files=part.count == 1)
            return
        journal = Journal(folder, settings)
        _pack(items, folder, options, journal, processes or cores(), part)
        _conclude(folder, journal, settings, part.count == 1)


def _pack(
    items: list[Item], out: Path, options: Options, journal: Journal, processes: int, part: JobShard
) -> None:
    memory = Duplicates(not options.keep_duplicates, options.near_duplicates)
    for entry in journal.entries:
        for checksum, fingerprint in entry.marks:
            memory.remember(checksum, fingerprint)
        entry.marks.clear()
    packer = Packer(out, options.max_samples, options.max_megabytes, len(journal.shards))
    done = journal.inputs
    entry = JournalEntry(done, None)
    with closing(_started(processes)) as pool, _progress() as progress:
        task = progress.add_task("Packing", total=known_total(items), completed=done, shards=packer.number)
        for one, products in _examined(
            itertools.islice(inputs_of(items, options.key), done, None), options, pool, processes
        ):
            entry.inputs += 1
            for product in products:
                _place(one, product, entry, memory, packer, part)
            progress.update(task, advance=1, shards=packer.number)
            if packer.full:
                entry.shard = packer.finish()
                journal.add(entry)
                entry = JournalEntry(entry.inputs, None)
    entry.shard = packer.finish()
    journal.add(entry)


def _started(processes: int) -> Pool:
    """Processes that are there before the progress bar starts its thread."""
    pool = Pool(processes, preload=[examine.__module__])
    pool.result(pool.submit(os.getpid))
    return pool


def _examined(
    inputs: Iterator[Input], options: Options, pool: Pool, processes: int
) -> Iterator[tuple[Input, list[Product]]]:
    """Inputs with what they give, in order; a bounded number is held in memory."""
    waiting: deque[tuple[Input, Task[list[Product]]]] = deque()
    for one in inputs:
        waiting.append((one, pool.submit(examine, one, options)))
        if len(waiting) >= AHEAD * processes:
            yield _result(pool, *waiting.popleft())
    while waiting:
        yield _result(pool, *waiting.popleft())


def _result(pool: Pool, one: Input, task: Task[list[Product]]) -> tuple[Input, list[Product]]:
    try:
        return one, pool.result(task)
    except Exception as error:  # its process died or hung; nothing else comes here
        return one, [Product(dropped=Reason.DAMAGED.value, detail=reason(error))]


def _place(
    one: Input, product: Product, entry: JournalEntry, memory: Duplicates, packer: Packer, part: JobShard
) -> None:
    name = one.name + product.suffix
    why, detail = product.dropped or memory.reason(product.checksum, product.fingerprint), product.detail
    members: dict[str, bytes] = {}
    if not why:
        try:
            members = one.load() if product.encoded is None else {product.kind: product.encoded}
        except OSError as error:  # the file went away after it was examined
            why, detail = "unreadable_file", str(error)
    if why:
        entry.dropped.append((name, why, detail))
        return
    for kind in [kind for kind in members if not _can_be_kept(kind)]:
        entry.dropped.append((name, "member_left_out", kind))
        del members[kind]
    memory.remember(product.checksum, product.fingerprint)
    entry.marks.append((product.checksum, product.fingerprint))
    stem = shown(one.key + product.suffix).replace(".", "_").encode()[:KEY_BYTES].decode(errors="ignore")
    number = entry.inputs * part.count + part.index  # no two parts have the same
    packer.add(f"{number:09d}-{stem}", members, product.pixels)


def _can_be_kept(kind: str) -> bool:
    """Whether a member's type may stand in the name of a new one; webdataset keeps those in ``_`` for itself."""
    return (
        kind == shown(kind)
        and len(kind.encode()) <= KIND_BYTES
        and not kind.startswith("_")
        and "/" not in kind
    )


def _conclude(folder: Path, journal: Journal, settings: dict[str, object], whole: bool) -> None:
    entries, dropped = journal.shards, journal.dropped()
    with (folder / DROPPED).open("w", encoding="utf-8") as file:
        file.write("name\treason\tdetail\n")
        for entry in journal.entries:
            for row in entry.dropped:
                file.write("\t".join(" ".join(shown(cell).split()) for cell in row) + "\n")
    if whole and not entries:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common())
        (folder / JOURNAL_NAME).unlink()
        raise ValueError(f"No image is left to pack ({reasons}); {folder / DROPPED} lists them.")
    write_index(
        folder, entries, **json.loads(json.dumps(settings)), inputs=journal.inputs, dropped=dict(dropped)
    )
    (folder / JOURNAL_NAME).unlink()


def _check_finished(folder: Path, settings: dict[str, object], files: bool = True) -> None:
    index = folder / INDEX_NAME
    entries, content = read_index(index.read_text(), str(index)), json.loads(index.read_text())
    if any(content.get(key) != json.loads(json.dumps(settings))[key] for key in settings):
        raise ValueError(
            f"{folder} holds shards of other sources or options; choose another folder, or delete it."
        )
    lost = [entry.name for entry in entries if files and not _is_there(folder / entry.name, entry.bytes)]
    if lost:
        raise ValueError(
            f"{', '.join(lost[:3])} in {folder} is missing or changed; delete the folder and write it again."
        )


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} images"),
        TextColumn("{task.fields[shards]} shards"), TimeElapsedColumn(),
    )  # fmt: skip
    return Progress(*columns)
