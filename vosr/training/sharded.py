"""FSDP2 as a Lightning strategy: every rank is one data-parallel shard."""

from datetime import timedelta

from lightning.pytorch.strategies import ModelParallelStrategy


class FullySharded(ModelParallelStrategy):
    """FSDP2 over all ranks: weights, gradients, optimizer and average are split; checkpoints are folders of shards.

    Args:
        timeout: how long a rank waits for another one before it gives up.
        process_group_backend: "nccl" or "gloo"; by the device, if not given.
    """

    def __init__(
        self, timeout: timedelta = timedelta(minutes=30), process_group_backend: str | None = None
    ) -> None:
        super().__init__(tensor_parallel_size=1, timeout=timeout, process_group_backend=process_group_backend)

    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()
