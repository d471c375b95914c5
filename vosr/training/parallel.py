"""Float8, activation checkpointing, compilation and sharding, applied to a backbone from outside and in that order.

Checkpointing must be inside what is compiled, and both inside what is sharded: then the compiler sees the
recomputation, and the gathering of weights stays outside its graphs. Blocks keep their names: nothing wraps them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils._python_dispatch import TorchDispatchMode

from vosr.backbones import Backbone
from vosr.core.seeds import derive_seed
from vosr.training.float8 import to_float8
from vosr.training.recomputation import Checkpointing, check_checkpointing, checkpoint_blocks


@dataclass(frozen=True)
class Parallelism:
    """How the blocks of the backbones are run, on one device or many.

    Args:
        activation_checkpointing: keep the input of each block alone and compute the rest again in the backward pass. A
            share, as 0.5, does so in that part of the blocks, spread over the depth; "attention" in all of them, and
            keeps the results of attention, which are small and dear (a block without attention keeps nothing more).
        compile: torch.compile each block.
        gather: type in which shards travel, under FSDP; "bfloat16" halves the traffic and rounds norms and tables
            too, gradients are summed in float32. Needs the precision "bf16-mixed".
        reshard_after_forward: under FSDP, free a trained block's gathered weights until the backward pass needs them;
            what it begins with, the last block and what is in none, stays gathered. Frozen weights are always freed.
        float8: linear layers of the trained blocks multiply in float8, by torchao. Untested: no device that has float8
            was there to try it on.
    """

    activation_checkpointing: Checkpointing = False
    compile: bool = False
    gather: Literal["float32", "bfloat16"] = "float32"
    reshard_after_forward: bool = True
    float8: bool = False

    def __post_init__(self) -> None:
        check_checkpointing(self.activation_checkpointing)


def parallelise(backbone: nn.Module, options: Parallelism, mesh: DeviceMesh | None) -> None:
    """Apply ``options`` to a backbone in place, and shard it over ``mesh`` if there is one.

    Args:
        backbone: trained or frozen; activations of a frozen one are not kept anyway. On the meta device it is sharded
            without memory; else one block at a time is moved to the mesh's device.
        options: what to apply.
        mesh: the last dimension is the one over which every parameter is split along its first axis; over one before
            it there are copies of the shards (HSDP). None does not shard.

    Raises:
        ValueError: the backbone does not say which of its submodules are the blocks.
    """
    blocks = getattr(backbone, "blocks", None)
    if blocks is None:
        if options == Parallelism() and mesh is None:
            return
        raise ValueError(
            f"{type(backbone).__name__} has no attribute `blocks` with its repeated submodules; it is needed for "
            "activation checkpointing, compilation and FSDP."
        )
    trained = any(parameter.requires_grad for parameter in backbone.parameters())
    if isinstance(backbone, Backbone):
        backbone.prepares_inside = mesh is not None or (bool(options.activation_checkpointing) and trained)
    if trained:
        if options.float8:
            to_float8(blocks)
        checkpoint_blocks(blocks, options.activation_checkpointing)
    if options.compile:
        for block in blocks:
            block.forward = torch.compile(block.forward)
    if mesh is not None:
        shard([*blocks, backbone], options, mesh, trained)


def shard(units: list[nn.Module], options: Parallelism, mesh: DeviceMesh, trained: bool) -> None:
    """FSDP2 on each unit, the last of which contains the others and takes what they leave.

    What has no backward pass is resharded after its forward pass: nothing else would free it.
    """
    gather = torch.bfloat16 if options.gather == "bfloat16" else None
    policy = MixedPrecisionPolicy(
        param_dtype=gather, reduce_dtype=torch.float32 if gather else None, cast_forward_inputs=False
    )
    for i, unit in enumerate(units):
        unit.to(torch.get_default_dtype())  # what a file holds in another type is cast unit by unit
        needed_next = i >= len(units) - 2  # the backward pass begins with these
        reshard = not trained or (options.reshard_after_forward and not needed_next)
        fully_shard(unit, mesh=mesh, mp_policy=policy, reshard_after_forward=reshard)
        if mesh.device_type == "cpu":  # gloo takes a mean for a sum without a word, in torch 2.8
            cast(FSDPModule, unit).set_force_sum_reduction_for_comms(True)


def reset_weights(backbone: nn.Module, seed: int) -> None:
    """Draw initial weights that depend on ``seed`` alone: neither on the device nor on the shards.

    A backbone without ``reset_parameters`` keeps what its constructor gave it.

    Raises:
        ValueError: it is sharded and has no ``reset_parameters``.
    """
    reset = getattr(backbone, "reset_parameters", None)
    if reset is None:
        if any(isinstance(parameter, DTensor) for parameter in backbone.parameters()):
            raise ValueError(
                f"{type(backbone).__name__} has no method `reset_parameters`; FSDP creates weights on the meta device "
                "and needs it to fill them."
            )
        return
    with torch.random.fork_rng(devices=[]), WholeDraws():
        torch.manual_seed(derive_seed("weights", seed))
        reset()


class WholeDraws(TorchDispatchMode):
    """Random fills draw the whole tensor on the CPU and keep what this rank holds of it, one tensor at a time.

    So do copies of whole tensors into sharded ones.
    """

    RANDOM = (torch.ops.aten.uniform_.default, torch.ops.aten.normal_.default)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.ops.aten.copy_.default:
            return func(args[0], part_of(args[1], args[0]), *args[2:], **(kwargs or {}))
        if func not in self.RANDOM:
            return func(*args, **(kwargs or {}))
        target = args[0]
        whole = torch.empty(target.shape, dtype=target.dtype, device="cpu")
        func(whole, *args[1:], **(kwargs or {}))
        return target.copy_(part_of(whole, target))


def load_weights(module: nn.Module, state: Mapping[str, Tensor]) -> Any:
    """``load_state_dict(strict=False)`` of whole tensors into a module that may be sharded.

    Each rank reads its part of each tensor: where they are memory-mapped, no rank holds the whole model.

    Returns:
        Missing and unexpected keys.
    """
    own = module.state_dict()
    return module.load_state_dict(
        {name: part_of(value, own[name]) if name in own else value for name, value in state.items()},
        strict=False,
    )


def part_of(whole: Tensor, like: Tensor) -> Tensor:
    """``whole`` on the device and, if ``like`` is sharded, with the shards of ``like``; no communication."""
    if not isinstance(like, DTensor) or isinstance(whole, DTensor) or whole.shape != like.shape:
        return whole
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None)
