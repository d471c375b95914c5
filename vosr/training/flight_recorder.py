"""torch's flight recorder: what each rank sent and waited for last, left in the run folder when ranks wait in vain."""

import os
from pathlib import Path

FOLDER = "flight_recorder"


def record_collectives(run: Path, count: int) -> None:
    """Let torch keep the last collectives, and write them to ``<run>/flight_recorder/rank_<n>`` at a timeout of NCCL.

    Before the process group starts: it reads these variables once.

    Args:
        run: the run folder.
        count: collectives that every rank keeps; 0 leaves the environment as it is.

    Raises:
        ValueError: it is negative.
    """
    if count < 0:
        raise ValueError(f"flight_recorder must not be negative, not {count}.")
    if not count:
        return
    folder = run / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    begin = str(folder.absolute() / "rank_")
    os.environ |= {
        "TORCH_FR_BUFFER_SIZE": str(count),
        "TORCH_NCCL_TRACE_BUFFER_SIZE": str(count),  # its older name, as below
        "TORCH_FR_DUMP_TEMP_FILE": begin,
        "TORCH_NCCL_DEBUG_INFO_TEMP_FILE": begin,
        "TORCH_NCCL_DUMP_ON_TIMEOUT": "1",
    }
