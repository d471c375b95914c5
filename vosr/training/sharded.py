"""FSDP2 as a Lightning strategy: every rank is one shard, or a copy of one (HSDP)."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.strategies.parallel import ParallelStrategy
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from vosr.checkpoints.training_state import CheckpointError, Keys, read_file, read_shards, write_sharded
from vosr.core.files.atomic import put_in_place, remove
from vosr.training.background import BackgroundWriter
from vosr.training.parallel import part_of


class FullySharded(ModelParallelStrategy):
    """FSDP2 over all ranks: weights, gradients, optimizer and average are split; a checkpoint is a folder of shards.

    Args:
        timeout: how long a rank waits for another one before it gives up.
        process_group_backend: "nccl" or "gloo"; by the device, if not given.
        replicas: copies of the whole set of shards, which sum their gradients (HSDP). As many as there are hosts keeps
            the gathering of weights within a host; each rank holds as many times more.
        background: write checkpoints while training goes on, from a copy in the host's memory. One at a time; older
            ones stay until it is whole.
    """

    def __init__(
        self,
        timeout: timedelta = timedelta(minutes=30),
        process_group_backend: str | None = None,
        replicas: int = 1,
        background: bool = False,
    ) -> None:
        if replicas < 1:
            raise ValueError(f"replicas must be at least 1, not {replicas}.")
        super().__init__(tensor_parallel_size=1, timeout=timeout, process_group_backend=process_group_backend)
        self.replicas = replicas
        self._writer = BackgroundWriter() if background else None

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        """Every rank has data of its own."""
        return {"num_replicas": self.world_size, "rank": self.global_rank}

    def setup_environment(self) -> None:
        """Make the mesh: one dimension of shards, or replicas times shards.

        Raises:
            ValueError: the ranks do not divide into so many replicas.
        """
        ranks = self.num_nodes * self.num_processes
        if ranks % self.replicas:
            raise ValueError(
                f"trainer.strategy.replicas={self.replicas} does not divide {ranks} ranks: as many as hosts is usual."
            )
        self._data_parallel_size = ranks
        super().setup_environment()
        shape = (ranks,) if self.replicas == 1 else (self.replicas, ranks // self.replicas)
        names = ("replicas", "shards")[-len(shape) :]
        self._device_mesh = init_device_mesh(self.root_device.type, shape, mesh_dim_names=names)
        assert self.lightning_module is not None
        self.lightning_module._device_mesh = self._device_mesh

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Shards of this rank."""
        assert self.lightning_module is not None
        return self.lightning_module.state_dict()

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """Shards of this rank, numbered as on one device: names of parameters play no part."""
        return ParallelStrategy.optimizer_state(self, optimizer)

    def save_checkpoint(
        self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any | None = None
    ) -> None:
        """Write to a temporary folder, then rename it; in the background while training, where that is asked for.

        Raises:
            CheckpointError: on every rank, if any could not write; what was at ``filepath`` is untouched. Of one in the
                background, when the next is written or the run ends.
        """
        path = Path(self.broadcast(str(filepath)))
        temporary = path.with_name(f".{path.name}.tmp")
        if self._writer is not None:
            self._together(self._writer.path or path, self._writer.wait)

        def prepare() -> None:
            remove(temporary)
            temporary.mkdir(parents=True)

        self._together(path, prepare if self.is_global_zero else _nothing)
        if self._writer is not None and self.lightning_module.trainer.training:
            self._writer.begin(checkpoint, temporary, path)
            return
        try:
            self._together(path, lambda: write_sharded(checkpoint, temporary))
            self._together(path, (lambda: put_in_place(temporary, path)) if self.is_global_zero else _nothing)
        except CheckpointError:
            if self.is_global_zero:
                remove(temporary)
            raise

    def remove_checkpoint(self, filepath: Any) -> None:
        """Remove a checkpoint; not before the one that is being written is whole."""
        if not self.is_global_zero:
            return
        if self._writer is None:
            remove(Path(filepath))
        else:
            self._writer.remove(Path(filepath))

    def teardown(self) -> None:
        """Wait for the checkpoint that is being written.

        Raises:
            CheckpointError: it could not be.
        """
        if self._writer is not None:
            path = self._writer.path
            try:
                self._writer.wait()
            except (Exception, CheckpointException) as error:
                raise CheckpointError(path or Path(), error) from error
        super().teardown()

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = True) -> dict[str, Any]:
        """Weights and optimizer states from a checkpoint of either form, read part by part; the rest is returned."""
        path = Path(self.broadcast(str(checkpoint_path)))
        assert self.lightning_module is not None
        own = self.lightning_module.state_dict()
        parameters = [[p for group in o.param_groups for p in group["params"]] for o in self.optimizers]

        def counterpart(keys: Keys) -> Tensor | None:
            if keys[0] == "state_dict":
                return own.get(str(keys[1]))
            number, position = int(keys[1]), keys[3]
            return parameters[number][int(position)] if number < len(parameters) else None

        def memory(keys: Keys, size: torch.Size, dtype: torch.dtype) -> Tensor | None:
            like = counterpart(keys)
            if like is None and keys[0] != "state_dict":
                return None  # validation has no optimizer
            if isinstance(like, DTensor) and like.shape == size:
                return torch.empty_like(like, dtype=dtype)
            return torch.empty(size, dtype=dtype)

        if path.is_dir():
            checkpoint = read_shards(path, memory, together=True)
        else:
            checkpoint = _sharded(read_file(path, mapped=True), counterpart)
        self.lightning_module.load_state_dict(checkpoint["state_dict"], strict=True)
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"]):
            optimizer.load_state_dict(state)
        return checkpoint

    def _together(self, path: Path, action: Callable[[], None]) -> None:
        problem: BaseException | None = None
        try:
            action()
        except (Exception, CheckpointException) as error:  # the latter is no Exception
            problem = error
        if not self.reduce_boolean_decision(problem is None):
            raise CheckpointError(path, problem) from problem


def _nothing() -> None:
    """What ranks other than 0 do while it works."""


def _sharded(checkpoint: dict[str, Any], counterpart: Callable[[Keys], Tensor | None]) -> dict[str, Any]:
    """``checkpoint`` with this rank's parts of its mapped tensors."""

    def part(value: Any, keys: Keys) -> Any:
        like = counterpart(keys) if isinstance(value, Tensor) else None
        return value if like is None else part_of(value, like)

    weights: Mapping[str, Tensor] = checkpoint["state_dict"]
    states = [
        state
        | {
            "state": {
                position: {
                    key: part(value, ("optimizer_states", i, "state", position, key))
                    for key, value in one.items()
                }
                for position, one in state["state"].items()
            }
        }
        for i, state in enumerate(checkpoint.get("optimizer_states", []))
    ]
    return checkpoint | {
        "state_dict": {name: part(value, ("state_dict", name)) for name, value in weights.items()},
        "optimizer_states": states,
    }
