"""What a step costs without memory equals what torch counts on real tensors, and closed forms."""

from collections import Counter
from contextlib import nullcontext

import pytest
import torch
from doubles import Dim, MeanEncoder, ShuffleAutoencoder
from models import save_trained
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from vosr.backbones import LightningDiT
from vosr.guidance import RestorationGuidance
from vosr.objectives import RCGM, FlowMatching, Shortcut
from vosr.planning import TrainingJob
from vosr.planning.communication import communication
from vosr.planning.live_bytes import LiveBytes
from vosr.planning.memory import memory
from vosr.planning.parts import parts_of
from vosr.planning.trace import FORWARD, TARGET, TEACHER, trace_step
from vosr.training import DistillationModule, TeacherModule
from vosr.training.parallel import Parallelism
from vosr.training.randomness import StepRandom

ATEN = torch.ops.aten
FLASH, BACKWARD = ATEN._scaled_dot_product_flash_attention, ATEN._scaled_dot_product_flash_attention_backward
CPU_ATTENTION = {  # without a formula in torch; counted as CUDA's
    ATEN._scaled_dot_product_flash_attention_for_cpu: flop_registry[FLASH].__wrapped__,
    ATEN._scaled_dot_product_flash_attention_for_cpu_backward: flop_registry[BACKWARD].__wrapped__,
}
WIDTH, DEPTH, TOKENS, BATCH = 32, 3, 16, 2
SEMANTIC_DIM = 3  # of the one token that MeanEncoder gives
PREPARED = 2 * (SEMANTIC_DIM * 3 * WIDTH + 3 * WIDTH * WIDTH + DEPTH * 2 * WIDTH * WIDTH)
"""Operations that prepare it for a student, or for a teacher without gradient."""


def backbone(channels, semantic_dim):
    return LightningDiT(channels, semantic_dim, width=WIDTH, depth=DEPTH, heads=2, latent_grid=8)


def teacher(**overrides):
    options = {
        "autoencoder": ShuffleAutoencoder(),
        "encoder": MeanEncoder(),
        "backbone": backbone,
        "guidance": RestorationGuidance(),
        "objective": FlowMatching(),
        "degradation": Dim(),
    }
    return TeacherModule(**(options | overrides))


@pytest.fixture(scope="module")
def teacher_folder(tmp_path_factory):
    return save_trained(teacher(), tmp_path_factory.mktemp("teacher"))


def student(folder, objective, **more):
    return DistillationModule(folder, RestorationGuidance(), objective, Dim(), trust_remote_code=True, **more)


def counted(module):
    """Operations of a real step, by torch's own counter."""
    module.configure_model()
    hq = torch.rand(BATCH, 3, 16, 16)
    random = StepRandom(0, 0, ["a", "b"], torch.device("cpu"))
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
        data, condition = module.frozen_pass(hq, hq, random)
        module.objective_loss(hq, data, condition, random).total.backward()
    return counter.get_total_flops()


def test_teacher_operations_are_those_of_a_real_step():
    trace = trace_step(teacher(), BATCH, 16, "32-true")
    assert trace.flops.total() == counted(teacher())
    assert trace.calls == {FORWARD: 1, "encoder": 1}


@pytest.mark.parametrize(("objective", "targets"), [(RCGM(), 2), (RCGM(substeps=3), 3), (Shortcut(), 2)])
def test_distillation_counts_what_the_objective_runs(teacher_folder, objective, targets):
    trace = trace_step(student(teacher_folder, objective), BATCH, 16, "32-true")
    assert trace.flops.total() == counted(student(teacher_folder, objective))
    assert trace.calls == {FORWARD: 1, TARGET: targets, TEACHER: 1, "encoder": 1}
    prepared = BATCH * PREPARED  # once, for all evaluations of the student
    assert (trace.flops[FORWARD] - prepared) * targets == trace.flops[TARGET] * 2


def test_a_teacher_stored_in_float16_is_counted_as_it_trains(teacher_folder):
    module = student(teacher_folder, RCGM())
    module.teacher.half()
    expected = trace_step(student(teacher_folder, RCGM()), BATCH, 16, "32-true").flops
    assert trace_step(module, BATCH, 16, "32-true").flops == expected


def test_a_teacher_in_bfloat16_costs_no_copies_of_its_weights(teacher_folder):
    """The same operations; autocast copies no weight of the teacher's while it runs, and a rank stores half as much."""
    single, half = (student(teacher_folder, RCGM(), teacher_dtype=held) for held in ("float32", "bfloat16"))
    traces = [trace_step(module, BATCH, 16, "bf16-mixed") for module in (single, half)]
    assert traces[0].flops == traces[1].flops
    peaks = [max(live.total() for live in trace.forward) for trace in traces]
    assert peaks[1] <= peaks[0]
    parts = [parts_of(module) for module in (single, half)]
    frozen = [memory(part, traces[0], TrainingJob())["frozen parts"] for part in parts]
    assert 2 * (frozen[0] - frozen[1]) == 4 * sum(p.numel() for p in parts[0].teacher.parameters())
    gathers = [communication(part, traces[0], TrainingJob("fsdp", 1, 2))[0].payload for part in parts]
    assert gathers[0] - gathers[1] == 2 * sum(p.numel() for p in parts[0].teacher.parameters())


def test_guidance_doubles_the_teacher_batch(teacher_folder):
    with_partial = trace_step(student(teacher_folder, RCGM()), BATCH, 16, "32-true")
    module = student(teacher_folder, RCGM())
    module.guidance.scale = 1.0
    alone = trace_step(module, BATCH, 16, "32-true").flops[TEACHER] - BATCH * PREPARED
    assert (
        with_partial.flops[TEACHER] == 2 * alone + (BATCH + 1) * PREPARED
    )  # no semantics are the same for all


def test_block_operations_follow_the_closed_form():
    """One block more: 16 width^2 multiply-adds per token, two for keys and values per semantic token, attention."""
    deep, shallow = (
        trace_step(
            teacher(backbone=lambda c, z, depth=depth: LightningDiT(c, z, 48, depth, 2, latent_grid=8)),
            BATCH,
            16,
            "32-true",
        ).flops
        for depth in (3, 2)
    )
    hidden = int(2 / 3 * 4 * 48)
    dense = TOKENS * (4 * 48 * 48 + 2 * 48 * 48 + 3 * 48 * hidden) + 1 * 2 * 48 * 48
    attention = 2 * TOKENS * TOKENS * 48 + 2 * TOKENS * 1 * 48
    assert deep[FORWARD] - shallow[FORWARD] == 2 * BATCH * (dense + attention)
    norms = (3 * TOKENS + 1) * 48  # gradients of the weights of four norms of queries and keys, as products
    assert deep["backward"] - shallow["backward"] == 2 * BATCH * (2 * dense + 2.5 * attention + norms)


@pytest.mark.parametrize("policy", [True, 0.4, "attention"])
def test_operations_of_recomputation_are_those_of_a_real_step(policy):
    module = teacher()
    module.parallel = Parallelism(activation_checkpointing=policy)
    assert trace_step(teacher(), BATCH, 16, "32-true", policy).flops.total() == counted(module)


def test_selective_checkpointing_stands_between_all_and_nothing():
    """Of three blocks a share of 0.4 is one; attention is what its policy does not compute again."""
    plain, one, attention, every = (
        trace_step(teacher(), BATCH, 16, "32-true", policy) for policy in (False, 0.4, "attention", True)
    )
    backward = [trace.flops["backward"] for trace in (plain, one, attention, every)]
    again = backward[3] - backward[0]
    # keys and values of all blocks are formed once more inside, and their projection is not
    assert backward[1] - backward[0] == again // DEPTH
    assert backward[3] - backward[2] == DEPTH * 2 * BATCH * (2 * TOKENS * TOKENS + 2 * TOKENS) * WIDTH
    kept = [trace.forward[-1].total() for trace in (plain, one, attention, every)]
    results = (
        DEPTH * BATCH * TOKENS * 2 * (4 * WIDTH + 4 * 2)
    )  # of two attentions, and a sum per head and query
    assert kept[2] - kept[3] == results
    assert kept[3] < kept[1] < kept[0]


def test_checkpointing_recomputes_the_blocks_and_keeps_less():
    plain, saved = (
        trace_step(teacher(), BATCH, 16, "32-true", checkpointing) for checkpointing in (False, True)
    )
    assert plain.flops[FORWARD] == saved.flops[FORWARD]
    assert 1.3 * plain.flops["backward"] < saved.flops["backward"] < 1.5 * plain.flops["backward"]
    assert saved.forward[-1].total() < 0.5 * plain.forward[-1].total()


def test_mixed_precision_stores_float32_gradients_and_half_copies():
    numel = sum(p.numel() for p in backbone(12, 3).parameters())
    trace = trace_step(teacher(), BATCH, 16, "bf16-mixed")
    linear = sum(
        p.numel() for m in backbone(12, 3).modules() for p in m.parameters(False) if isinstance(m, nn.Linear)
    )
    assert trace.backward[-1]["gradients"] <= 4 * numel
    assert trace.backward[-1]["gradients"] > 3.9 * numel
    assert 0.9 * 2 * linear < trace.forward[-1]["weight copies"] < 1.1 * 2 * linear
    assert trace_step(teacher(), BATCH, 16, "32-true").forward[-1]["weight copies"] == 0


def test_the_module_is_left_as_it_is():
    module = teacher()
    names = [name for name, _ in module.named_modules()]
    trace_step(module, BATCH, 16, "bf16-mixed")
    assert [name for name, _ in module.named_modules()] == names
    assert not hasattr(module, "backbone")
    assert not any(m._forward_hooks for m in module.modules())
    assert type(next(module.parameters()).data) is torch.Tensor


def test_unplannable_precision():
    with pytest.raises(ValueError, match=r"Cannot plan trainer\.precision '64-true'"):
        trace_step(teacher(), BATCH, 16, "64-true")


@pytest.mark.parametrize("mode", [nullcontext, FakeTensorMode])
def test_live_bytes_of_a_linear_layer(mode):
    with mode():
        layer, x = nn.Linear(8, 4, bias=False), torch.rand(16, 8)
        live = LiveBytes([*layer.parameters(), x])
        with live:
            y = layer(x)
            z = y * 2
            view = z.view(64)
            del y
            total = z.sum()
            assert live.take() == [Counter(activations=n) for n in (256, 512, 256 + 4)]
            total.backward()
            del z, view, total
            torch.zeros(5)
    assert +live.take()[-1] == Counter({"gradients": 4 * 8 * 4, "activations": 5 * 4})
