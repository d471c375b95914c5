"""FSDP2 as a Lightning strategy: every rank trains on images of its own."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.strategies.parallel import ParallelStrategy
from lightning.pytorch.trainer.states import TrainerStatus
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from vosr.checkpoints.training_state import CheckpointError, Keys, read_file, read_shards, write_sharded
from vosr.core.files.atomic import put_in_place, remove
from vosr.training.background_write import BackgroundWrite
from vosr.training.parallel import part_of


class FullySharded(ModelParallelStrategy):
    """FSDP2: weights, gradients, optimizer and average are split over ranks; a checkpoint is a folder of shards.

    Args:
        copies: of the sharded model (HSDP). 1 splits it over all ranks; "hosts" over those of each host, so that
            weights travel within hosts alone, and between them only gradients, each rank's share. A number must
            divide the ranks; consecutive ranks hold one copy.
        timeout: how long a rank waits for another one before it gives up; collectives within and between copies keep
            torch's own.
        process_group_backend: "nccl" or "gloo"; by the device, if not given.
        async_checkpoints: write checkpoints while training goes on. Shards are copied to host memory first, once as
            much as the checkpoint has; the next checkpoint waits for the one before it, and so does the end of the run.
    """

    def __init__(
        self,
        copies: int | Literal["hosts"] = 1,
        timeout: timedelta = timedelta(minutes=30),
        process_group_backend: str | None = None,
        async_checkpoints: bool = False,
    ) -> None:
        super().__init__(tensor_parallel_size=1, timeout=timeout, process_group_backend=process_group_backend)
        self.copies = copies
        self.async_checkpoints = async_checkpoints
        self._background: BackgroundWrite | None = None
        self._obsolete: list[Any] = []

    def setup_environment(self) -> None:
        ranks = self.num_nodes * self.num_processes
        copies = copies_of(self.copies, ranks, self.num_nodes)
        self._data_parallel_size = ranks
        super().setup_environment()
        if copies > 1:
            self._device_mesh = init_device_mesh(
                self.root_device.type, (copies, ranks // copies), mesh_dim_names=("copies", "shards")
            )
            assert self.lightning_module is not None
            self.lightning_module._device_mesh = self._device_mesh
        if self.async_checkpoints and self._background is None:
            self._background = BackgroundWrite(self._timeout)

    def teardown(self) -> None:
        """Wait for what is still written."""
        problem = self._end_background()
        super().teardown()
        if problem is not None:
            raise problem

    @property
    def distributed_sampler_kwargs(self) -> dict[str, Any]:
        """Every rank reads samples of its own, whatever the mesh."""
        return {"num_replicas": self.world_size, "rank": self.global_rank}

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
        """Write to a temporary folder, then rename it; in the background where asked for and training goes on.

        Raises:
            CheckpointError: on every rank, if any could not write, or the one before it in the background; what was at
                ``filepath`` is untouched.
        """
        path = Path(self.broadcast(str(filepath)))
        temporary = path.with_name(f".{path.name}.tmp")
        problem = self._end_background()
        if not self.reduce_boolean_decision(problem is None):
            raise problem or CheckpointError(path, None)

        def prepare() -> None:
            remove(temporary)
            temporary.mkdir(parents=True)

        place = (lambda: put_in_place(temporary, path)) if self.is_global_zero else _nothing
        background = self._background
        self._together(path, prepare if self.is_global_zero else _nothing)
        try:
            if background is not None and self._is_training():
                self._together(path, lambda: background.begin(checkpoint, temporary, place))
                return
            self._together(path, lambda: write_sharded(checkpoint, temporary))
            self._together(path, place)
        except CheckpointError:
            if self.is_global_zero:
                remove(temporary)
            raise

    def remove_checkpoint(self, filepath: Any) -> None:
        """Remove an older checkpoint, once the one that replaces it is whole."""
        if self._background is not None and self._background.folder is not None:
            self._obsolete.append(filepath)
        else:
            super().remove_checkpoint(filepath)

    def _is_training(self) -> bool:
        module = self.lightning_module
        return module is not None and module.trainer.state.status == TrainerStatus.RUNNING

    def _end_background(self) -> CheckpointError | None:
        """Wait for the checkpoint that is being written; why it could not be, without asking other ranks."""
        if self._background is None or self._background.folder is None:
            return None
        folder, obsolete, self._obsolete = self._background.folder, self._obsolete, []
        try:
            self._background.wait()
        except (Exception, CheckpointException) as error:
            if self.is_global_zero:
                remove(folder)
            return CheckpointError(folder.with_name(folder.name[1:].removesuffix(".tmp")), error)
        for path in obsolete:
            super().remove_checkpoint(path)
        return None

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


def copies_of(given: int | Literal["hosts"], ranks: int, hosts: int) -> int:
    """The number of copies of the sharded model.

    Raises:
        ValueError: it does not divide the ranks.
    """
    copies = hosts if given == "hosts" else given
    if copies < 1 or ranks % copies:
        raise ValueError(
            f"trainer.strategy.copies={copies} must divide the {ranks} ranks; hosts is one copy a host."
        )
    return copies


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
