"""Processes that a launcher has started, against what the trainer is to run on."""

import os

INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which a person starts commands, and Lightning its own processes."""


def check_tasks() -> None:
    """Refuse tasks of SLURM that Lightning cannot number.

    Raises:
        ValueError: several were asked for without a number for each node.
    """
    tasks = _slurm_tasks()
    if tasks is not None and tasks > 1 and "SLURM_NTASKS_PER_NODE" not in os.environ:
        nodes = int(os.environ.get("SLURM_NNODES", 1))
        raise ValueError(
            f"SLURM started {tasks} tasks by --ntasks={tasks}: give --ntasks-per-node={max(1, tasks // nodes)} instead."
        )


def check_launch(devices: int, nodes: int) -> None:
    """Refuse a launch of more or fewer processes than there are devices to train on.

    Args:
        devices: of each node.
        nodes: their number.

    Raises:
        ValueError: SLURM or torchrun started another number.
    """
    tasks, torchrun = _slurm_tasks(), os.environ.get("TORCHELASTIC_RUN_ID")
    if torchrun is not None:
        launcher, started, options = (
            "torchrun",
            int(os.environ["WORLD_SIZE"]),
            "--nnodes={1} --nproc-per-node={0}",
        )
    elif tasks is not None:
        launcher, started, options = "SLURM", tasks, "--nodes={1} --ntasks-per-node={0}"
    else:
        return
    if started != devices * nodes:
        asked = options.format(devices, nodes)
        raise ValueError(
            f"{launcher} started {started} process{'es' * (started != 1)}, and trainer.devices={devices} with "
            f"trainer.num_nodes={nodes} needs {devices * nodes}, one for each device: start it with {asked}, or set "
            "the two to what was started."
        )


def _slurm_tasks() -> int | None:
    """Tasks of this step of a SLURM job; None outside, and where commands are typed."""
    if "SLURM_NTASKS" not in os.environ or os.environ.get("SLURM_JOB_NAME") in INTERACTIVE:
        return None
    return int(os.environ["SLURM_NTASKS"])
