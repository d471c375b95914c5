"""The job that a training configuration describes."""

import pydoc
from typing import Any, cast

from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, StrategyRegistry

from vosr.planning import Job
from vosr.planning.job import Strategy


def job_of(config: Any) -> Job:
    """The job of a parsed ``fit`` configuration with the options of ``plan``.

    Raises:
        ValueError: something that a plan needs is not said, or cannot be planned.
    """
    trainer, data = config.trainer, config.data.init_args
    for name in ("batch_size", "crop_size"):
        if data.get(name) is None:
            raise ValueError(f"A plan needs data.{name}; {config.data.class_path} has none.")
    if trainer.max_steps < 1:
        raise ValueError("A plan needs the length of the run: give trainer.max_steps.")
    for name in ("nodes", "devices"):
        if config[name] is not None and config[name] < 1:
            raise ValueError(f"{name} must be at least 1, not {config[name]}.")
    nodes = config.nodes or trainer.num_nodes
    devices = config.devices or _devices(trainer.devices)
    parallel = config.model.init_args.parallel
    return Job(
        strategy=_strategy(trainer.strategy, nodes * devices),
        nodes=nodes,
        devices=devices,
        batch_size=data.batch_size,
        crop_size=data.crop_size,
        accumulate=trainer.accumulate_grad_batches,
        max_steps=trainer.max_steps,
        precision=str(trainer.precision or "32-true"),
        checkpointing=parallel.activation_checkpointing,
        half_gather=parallel.gather == "bfloat16",
        reshard=parallel.reshard_after_forward,
    )


def _devices(given: Any) -> int:
    if given in ("auto", None):
        return 1
    if isinstance(given, list):
        return len(given)
    if not str(given).isdigit() or int(given) < 1:
        raise ValueError(f"trainer.devices is {given}; say by --devices how many each host has.")
    return int(given)


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
