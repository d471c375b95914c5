"""What is gathered when, on ranks that do not exist: two that hold shards, or two copies of two."""

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore

from vosr.backbones import LightningDiT
from vosr.training.parallel import Parallelism, parallelise
from vosr.training.sharded import copies_of


@pytest.fixture
def sharded():
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=4)

    def make(options, shape=(4,), trained=True):
        model = LightningDiT(4, 5, width=32, depth=3, heads=2, latent_grid=8)
        model.requires_grad_(trained)
        parallelise(
            model, options, init_device_mesh("cpu", shape, mesh_dim_names=("copies", "shards")[-len(shape) :])
        )
        return model

    yield make
    dist.destroy_process_group()


def run(model):
    return model(torch.randn(2, 8, 8, 8), torch.rand(2), torch.randn(2, 3, 5))


def gathered(model):
    """Whether the weights of each block, and of none, are whole now."""
    units = [*(block.mlp.w3.weight for block in model.blocks), model.final_layer.linear.weight]
    return [not isinstance(weight, DTensor) for weight in units]


@pytest.mark.parametrize(
    ("reshard", "kept"), [(True, [False, False, True, True]), (False, [True, True, True, True])]
)
def test_what_the_backward_pass_begins_with_stays_gathered(sharded, reshard, kept):
    model = sharded(Parallelism(reshard_after_forward=reshard))
    assert not any(gathered(model))
    out = run(model)
    assert gathered(model) == kept
    out.sum().backward()
    assert not any(gathered(model))


@pytest.mark.parametrize("reshard", [True, False])
def test_frozen_weights_are_freed_after_use(sharded, reshard):
    """The average is validated, and then moved by the shards of the backbone."""
    model = sharded(Parallelism(reshard_after_forward=reshard), trained=False)
    run(model)
    assert not any(gathered(model))


def test_copies_split_over_the_last_dimension_alone(sharded):
    model = sharded(Parallelism(), shape=(2, 2))
    weight = model.blocks[0].mlp.w3.weight
    assert weight.placements == (Replicate(), Shard(0))
    assert weight.to_local().shape[0] * 2 == weight.shape[0]


def test_copies_are_a_number_or_one_a_host():
    assert [copies_of(given, 16, 2) for given in (1, 4, "hosts")] == [1, 4, 2]
    with pytest.raises(ValueError, match=r"trainer\.strategy\.copies=3 must divide the 16 ranks"):
        copies_of(3, 16, 2)
