"""The job that a training configuration describes."""

import pydoc
from typing import Any, cast

from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, StrategyRegistry

from data_pipelines.epochs import DEFAULT_BATCH
from vosr.planning import TrainingJob
from vosr.planning.job import Strategy
from vosr.training.sharded import copies_of


def job_of(config: Any, training_size: int) -> TrainingJob:
    """The job of a parsed ``fit`` configuration with the options of ``plan``.

    Args:
        config: the configuration.
        training_size: side of the crops where ``data.crop_size`` is not given.

    Raises:
        ValueError: something that a plan needs is not given, or cannot be planned.
    """
    trainer, data = config.trainer, config.data.init_args
    crop_size = data.get("crop_size", 0) or (training_size if "crop_size" in data else None)
    if crop_size is None:
        raise ValueError(f"A plan needs data.crop_size; {config.data.class_path} has none.")
    if trainer.max_steps < 1:
        raise ValueError("A plan needs the length of the run: give trainer.max_steps.")
    for name in ("nodes", "devices"):
        if config[name] is not None and config[name] < 1:
            raise ValueError(f"{name} must be at least 1, not {config[name]}.")
    nodes = config.nodes or trainer.num_nodes
    devices = config.devices or _devices(trainer.devices)
    parallel = config.model.init_args.parallel
    return TrainingJob(
        strategy=_strategy(trainer.strategy, nodes * devices),
        nodes=nodes,
        devices=devices,
        batch_size=_batch_size(
            data, nodes * devices * trainer.accumulate_grad_batches, config.data.class_path
        ),
        crop_size=crop_size,
        accumulate=trainer.accumulate_grad_batches,
        max_steps=trainer.max_steps,
        precision=str(trainer.precision or "32-true"),
        checkpointing=parallel.activation_checkpointing,
        half_gather=parallel.gather == "bfloat16",
        reshard=parallel.reshard_after_forward,
        copies=_copies(trainer.strategy, nodes, devices),
    )


def _batch_size(data: Any, parts: int, module: str) -> int:
    if data.get("batch_size") is None and data.get("global_batch_size"):
        return int(data.global_batch_size) // parts
    if "batch_size" not in data:
        raise ValueError(f"A plan needs data.batch_size; {module} has none.")
    return int(data.batch_size or DEFAULT_BATCH)


def _devices(given: Any) -> int:
    if given in ("auto", None):
        return 1
    if isinstance(given, list):
        return len(given)
    if not str(given).isdigit() or int(given) < 1:
        raise ValueError(f"trainer.devices is {given}; give by --devices how many each host has.")
    return int(given)


def _copies(given: Any, nodes: int, devices: int) -> int:
    asked = None if isinstance(given, str) else given.get("init_args", {}).get("copies")
    return 1 if asked is None else copies_of(asked, nodes * devices, nodes)


def _strategy(given: Any, ranks: int) -> Strategy:
    name = given if isinstance(given, str) else given.class_path
    if name in ("auto", "single_device"):
        return "single" if ranks == 1 else "ddp"
    cls = StrategyRegistry[name]["strategy"] if name in StrategyRegistry else pydoc.locate(name)
    if issubclass(cast(type, cls), ModelParallelStrategy):
        return "fsdp" if ranks > 1 else "single"
    if cls is DDPStrategy:  # others derive from it and share nothing with it
        return "ddp" if ranks > 1 else "single"
    raise ValueError(
        f"Cannot plan trainer.strategy {name}; use auto, ddp, or FSDP2 by configs/cluster/fsdp.yaml."
    )
