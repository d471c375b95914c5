"""The 10B configuration, sharded for real by FSDP2 over 64 ranks that do not exist, without memory."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore

from vosr.cli.plan import PlanCLI
from vosr.planning import TrainingJob
from vosr.planning.parts import optimizer_size, parts_of, size, stored
from vosr.training.parallel import Parallelism, parallelise

RANKS = 64
CONFIG = Path(__file__).parents[2] / "configs/vosr_10b/teacher.yaml"


@pytest.fixture
def mesh():
    dist.init_process_group("fake", store=FakeStore(), rank=0, world_size=RANKS)
    yield init_device_mesh("cpu", (RANKS,))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def module():
    return PlanCLI(["fit", "--config", str(CONFIG)]).model


def test_every_rank_holds_a_64th_and_the_plan_says_so(mesh, module):
    with torch.device("meta"):
        backbone = module.build_backbone()
    numel = sum(p.numel() for p in backbone.parameters())
    assert numel == pytest.approx(10e9, rel=0.02)
    parallelise(backbone, Parallelism(), mesh)
    local = [p.to_local() for p in backbone.parameters()]
    assert all(shard.is_meta for shard in local)
    held = sum(shard.numel() for shard in local)
    assert numel / RANKS <= held < 1.002 * numel / RANKS

    job = TrainingJob("fsdp", 8, 8)
    planned = stored(parts_of(module).backbone.parameters(), job)
    assert [tuple(p.shape) for p in planned] == [tuple(shard.shape) for shard in local]
    assert size(planned) == 4 * held
    assert optimizer_size(module.optimizer, planned) == 2 * 4 * held + 4 * len(local)
