"""Memory, communication and time follow their closed forms."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from vosr.planning import DEVICES, Plan, TrainingJob, find_device
from vosr.planning.communication import communication, wire_seconds
from vosr.planning.memory import gathered_bytes, memory, working_memory
from vosr.planning.parts import Parts, optimizer_size, size, stored
from vosr.planning.plan import RESERVE
from vosr.planning.trace import FORWARD, TARGET, TEACHER, StepTrace


class Stack(nn.Module):
    """Two blocks of 30 parameters and 7 outside them."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(5, 5) for _ in range(2))
        self.rest = nn.Parameter(torch.zeros(7))


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=1e-3)


with torch.device("meta"):
    PARTS = Parts(Stack(), None, {"encoder": nn.Linear(9, 1, bias=False)}, adamw)
    DISTILLED = replace(PARTS, teacher=Stack())
NUMEL = 2 * 30 + 7
TRACE = StepTrace(
    Counter(),
    Counter({FORWARD: 2, TARGET: 3, TEACHER: 1}),
    encoding=[Counter(activations=50)],
    forward=[Counter({"activations": 900, "weight copies": 100})],
    backward=[Counter(activations=1100), Counter({"activations": 1000, "gradients": 4 * NUMEL})],
)
ONE, DDP, FSDP = TrainingJob(), TrainingJob("ddp", 1, 4), TrainingJob("fsdp", 2, 2)


def test_memory_by_kind_on_one_device():
    kinds = memory(PARTS, TRACE, ONE)
    assert kinds["weights"] == kinds["gradients"] == kinds["average (EMA)"] == 4 * NUMEL
    assert kinds["optimizer"] == 2 * 4 * NUMEL + 5 * 4  # two moments, and a step count for each of 5 tensors
    assert kinds["frozen parts"] == 9 * 4
    assert kinds["gradient buckets"] == kinds["gathered blocks"] == 0
    # the forward pass (1000 beside last step's gradients) and the end of the backward pass (1000) need the same
    assert kinds["activations"] + kinds["weight copies"] == 1000


def test_ddp_has_buckets_and_fsdp_shards():
    assert memory(PARTS, TRACE, DDP) == memory(PARTS, TRACE, ONE) | {"gradient buckets": 4 * NUMEL}
    kinds = memory(DISTILLED, TRACE, FSDP)
    shard = 4 * (2 * (2 * 5 + 2) + 2)  # first axes 5, 5, 7 over 4 ranks: 2, 2, 2
    assert kinds["weights"] == kinds["gradients"] == kinds["average (EMA)"] == shard
    assert kinds["frozen parts"] == 9 * 4 + shard
    assert kinds["gathered blocks"] == 4 * NUMEL + 2 * 4 * 30  # two blocks are all there are


def test_gathered_weights_follow_the_options():
    large = nn.Module()
    large.blocks = nn.ModuleList(nn.Linear(5, 5) for _ in range(10))
    one = replace(TRACE, calls=Counter({FORWARD: 1}))
    assert gathered_bytes(large, FSDP, one) == 4 * 2 * 30 + 2 * 4 * 30
    assert gathered_bytes(large, FSDP, TRACE) == 4 * 3 * 30 + 2 * 4 * 30
    assert gathered_bytes(large, replace(FSDP, half_gather=True), one) == 2 * 2 * 30 + 2 * 4 * 30
    assert gathered_bytes(large, replace(FSDP, reshard=False), one) == 4 * 300 + 2 * 4 * 30


def test_half_gathering_needs_no_copies_and_accumulation_keeps_gradients():
    assert working_memory(TRACE, FSDP, 100, 400)["weight copies"] == 100
    assert working_memory(TRACE, replace(FSDP, half_gather=True), 100, 400)["weight copies"] == 0
    lone = replace(TRACE, forward=[], encoding=[])
    full = 4 * NUMEL
    assert working_memory(lone, ONE, full, full).total() == 1000
    assert working_memory(lone, replace(ONE, accumulate=2), full, full).total() == 1100


def test_true_half_precision_halves_the_weights():
    halved = memory(PARTS, TRACE, replace(ONE, precision="bf16-true"))
    assert halved["weights"] == 2 * NUMEL
    assert halved["frozen parts"] == 2 * 9


def test_optimizer_state_is_what_the_optimizer_makes():
    parameters = stored(nn.Linear(3, 4, device="meta").parameters(), ONE)
    assert size(parameters) == 4 * 16
    assert optimizer_size(lambda p: torch.optim.SGD(p, lr=1.0), parameters) == 0
    assert optimizer_size(lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9), parameters) == 4 * 16
    assert optimizer_size(adamw, parameters) == 2 * 4 * 16 + 2 * 4


def test_collectives():
    assert communication(PARTS, TRACE, ONE) == []
    (reduced,) = communication(PARTS, TRACE, replace(DDP, accumulate=8))
    assert (reduced.name, reduced.payload, reduced.sent) == ("all-reduce", 4 * NUMEL, 6 * NUMEL)
    gathers, scatters = communication(DISTILLED, TRACE, FSDP)
    # the first block for two evaluations forward and backward, and for three targets; the rest once; the teacher
    gathered = 4 * (30 * (2 * 2 + 3) + 37 + NUMEL)
    assert (gathers.payload, scatters.payload) == (gathered, 4 * NUMEL)
    assert gathers.sent == gathers.payload * 3 // 4
    halved = communication(DISTILLED, TRACE, replace(FSDP, half_gather=True, reshard=False, accumulate=2))
    assert [c.payload for c in halved] == [2 * (1 + 1) * 2 * NUMEL, 2 * 4 * NUMEL]


def test_copies_keep_the_gathering_within_hosts():
    gathers, scatters, sums = communication(PARTS, TRACE, replace(FSDP, copies=2))
    assert gathers.sent == gathers.payload // 2
    assert scatters.sent == scatters.payload // 2
    assert (sums.payload, sums.sent) == (2 * NUMEL, 2 * NUMEL)  # half the gradients, there and back by half
    assert [each.far for each in (gathers, scatters, sums)] == [False, False, True]
    assert [each.far for each in communication(PARTS, TRACE, FSDP)] == [True, True]
    (alone,) = communication(PARTS, TRACE, replace(FSDP, copies=4))
    assert (alone.name, alone.sent) == ("all-reduce", 6 * NUMEL)
    whole, half = (memory(PARTS, TRACE, replace(FSDP, copies=copies)) for copies in (4, 2))
    assert whole["weights"] == 4 * NUMEL
    assert half["weights"] == 4 * (2 * (3 * 5 + 3) + 4)


def test_the_slowest_hop_sets_the_time():
    h100 = find_device("h100")
    collectives = communication(PARTS, TRACE, DDP)
    assert wire_seconds(collectives, h100) == 6 * NUMEL / 450e9
    assert (
        wire_seconds(communication(PARTS, TRACE, replace(DDP, nodes=2, devices=2)), h100) == 6 * NUMEL / 50e9
    )


def test_time_and_fit():
    job, h100 = TrainingJob(max_steps=86_400, batch_size=3), DEVICES["h100"]
    plan = Plan(job, h100, {}, {"weights": 100}, [], compute=2.0, wire=0.5)
    assert (plan.step, plan.days) == (2.0, 2.0)
    assert replace(plan, wire=3.0).days == 3.0
    assert replace(plan, compute=None).days is None
    limit = int(h100.memory * (1 - RESERVE))
    assert replace(plan, memory={"weights": limit}).fits
    assert not replace(plan, memory={"weights": limit, "gradients": 1}).fits


def test_global_batch():
    assert TrainingJob("ddp", 2, 4, batch_size=3, accumulate=5).global_batch == 120


@pytest.mark.parametrize("shape", [(5,), (64, 3), (130, 2), ()])
def test_shards_are_padded_to_the_first(shape):
    (shard,) = stored([nn.Parameter(torch.empty(shape, device="meta"))], TrainingJob("fsdp", 8, 8))
    assert shard.shape[0] == -(-(shape or (1,))[0] // 64)
