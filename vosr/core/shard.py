"""The i-th of n parts of a set of images, for machines that share the work."""

import logging
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobShard:
    """One of ``count`` parts of all images, ``index`` from 0.

    Which part an image belongs to hangs on its name alone: machines that list a growing folder at different times
    still never do the same image.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "JobShard":
        """From ``i/n``, i from 1 to n.

        Raises:
            ValueError: another form, or i out of range.
        """
        index, _, count = text.partition("/")
        if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise ValueError(f"shard must be i/n with i from 1 to n, such as 1/8, not {text!r}.")
        return cls(int(index) - 1, int(count))

    @classmethod
    def given(cls, text: str | None) -> "JobShard":
        """From ``i/n``; where that is not given, what launchers call this process, which the log then says.

        Tasks of a SLURM job array, those that srun has started within each, and ranks of torchrun are parts.

        Raises:
            ValueError: see :meth:`parse`.
        """
        if text is not None:
            return cls.parse(text)
        whole = cls()
        for index, count in _launched():
            whole = whole.part(index, count)
        if whole.count > 1:
            log.warning("Part %s, as launched; --shard 1/1 does everything.", whole)
        return whole

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"

    def part(self, index: int, count: int) -> "JobShard":
        """Part ``index`` of ``count`` of this shard."""
        return JobShard(self.index + self.count * index, self.count * count)

    def holds(self, name: str) -> bool:
        """Whether the image of this name belongs to the shard."""
        return zlib.crc32(os.fsencode(name)) % self.count == self.index


WHOLE = JobShard()
"""Everything."""


def _launched() -> Iterator[tuple[int, int]]:
    """Index and count of this process within what each launcher has started."""
    if "SLURM_ARRAY_TASK_COUNT" in os.environ:
        first, step = _number("SLURM_ARRAY_TASK_MIN", 0), _number("SLURM_ARRAY_TASK_STEP", 1)
        yield (_number("SLURM_ARRAY_TASK_ID", first) - first) // step, _number("SLURM_ARRAY_TASK_COUNT", 1)
    if "RANK" in os.environ:  # torchrun, perhaps started by srun
        yield _number("RANK", 0), _number("WORLD_SIZE", 1)
    elif "SLURM_STEP_ID" in os.environ:  # else a batch script, which is one process of many tasks
        yield _number("SLURM_PROCID", 0), _number("SLURM_NTASKS", 1)


def _number(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
