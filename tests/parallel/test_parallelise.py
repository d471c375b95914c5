from functools import partial

import pytest
import torch
from layouts import backbone
from torch.utils.flop_counter import FlopCounterMode

from vosr.backbones import Backbone
from vosr.training.parallel import Parallelism, load_weights, parallelise, reset_weights
from vosr.training.recomputation import evenly


def inputs():
    g = torch.Generator().manual_seed(0)
    return torch.randn(2, 8, 8, 8, generator=g), torch.rand(2, generator=g), torch.randn(2, 3, 5, generator=g)


def fresh(options=None, seed=0):
    model = backbone(4, 5)
    reset_weights(model, seed)
    for p in model.final_layer.parameters():
        torch.nn.init.constant_(p, 0.1)  # zero at first: nothing inside would have a gradient
    if options is not None:
        parallelise(model, options, None)
    return model


@pytest.mark.parametrize("checkpointing", [True, 0.5, "attention"])
@pytest.mark.parametrize("compiled", [False, True])
def test_options_change_neither_values_nor_names(compiled, checkpointing, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, optimised = fresh(), fresh(Parallelism(activation_checkpointing=checkpointing, compile=compiled))
    assert list(plain.state_dict()) == list(optimised.state_dict())
    results = [model(*inputs()) for model in (plain, optimised)]
    torch.testing.assert_close(results[1], results[0])
    for result in results:
        result.square().mean().backward()
    for (name, p), q in zip(plain.named_parameters(), optimised.parameters()):
        torch.testing.assert_close(q.grad, p.grad, msg=name)


def test_checkpointed_blocks_run_again_in_the_backward_pass():
    for policy, expected in ((False, [1, 1]), (True, [2, 2]), (0.5, [1, 2]), ("attention", [2, 2])):
        model, calls = fresh(Parallelism(activation_checkpointing=policy)), [0, 0]
        for i, block in enumerate(model.blocks):

            def count(*_, i=i, calls=calls):
                calls[i] += 1

            block.attn.register_forward_pre_hook(count)
        model(*inputs()).sum().backward()
        assert calls == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, []), (1 / 3, [2, 5, 8]), (0.5, [1, 3, 5, 7]), (0.75, [1, 2, 3, 5, 6, 7]), (1, list(range(9)))],
)
def test_a_share_is_spread_over_the_depth(share, expected):
    assert evenly(range(9), share) == expected


@pytest.mark.parametrize("policy", ["blocks", 1.5, -1, float("nan")])
def test_other_policies_are_refused(policy):
    with pytest.raises(
        ValueError, match=r"activation_checkpointing must be true, false, attention or the share"
    ):
        Parallelism(activation_checkpointing=policy)


class Attention(FlopCounterMode):
    """How often attention runs; kernels of the CPU are the ones that have no formula of torch's."""

    def __init__(self):
        super().__init__(display=False)
        self.runs = 0

    def _count_flops(self, func_packet, out, args, kwargs):
        self.runs += "attention" in str(func_packet) and "backward" not in str(func_packet)
        return super()._count_flops(func_packet, out, args, kwargs)


@pytest.mark.parametrize(("policy", "runs"), [(False, 4), ("attention", 4), (0.5, 6), (True, 8)])
def test_attention_is_kept_by_its_policy(policy, runs):
    model = fresh(Parallelism(activation_checkpointing=policy))
    with Attention() as counter:
        model(*inputs()).sum().backward()
    assert counter.runs == runs  # self- and cross-attention of two blocks


def test_frozen_backbones_are_not_checkpointed():
    model = fresh().requires_grad_(False)
    parallelise(model, Parallelism(activation_checkpointing=True), None)
    assert "forward" not in vars(model.blocks[0])


def test_initial_weights_depend_on_the_seed_alone():
    torch.manual_seed(1)
    first = fresh().state_dict()
    torch.manual_seed(2)
    before = torch.random.get_rng_state()
    again, other = fresh().state_dict(), fresh(seed=1).state_dict()
    name = "blocks.1.mlp.w12.weight"
    assert torch.equal(first[name], again[name])
    assert not torch.equal(first[name], other[name])
    reset_weights(backbone(4, 5), 0)
    torch.manual_seed(2)
    assert torch.equal(before, torch.random.get_rng_state())


def test_loading_reports_what_does_not_fit():
    model = fresh()
    state = dict(fresh(seed=1).state_dict(), extra=torch.zeros(1))
    expected = state.pop("t_block.1.bias")
    missing, unexpected = load_weights(model, state)
    assert (missing, unexpected) == (["t_block.1.bias"], ["extra"])
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_weights(model, {"t_block.1.bias": expected[:3]})


class Blockless(Backbone):
    """A plug-in that does not name its blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, x, t, semantics, r=None):
        return x


def test_a_backbone_without_blocks_works_until_options_need_them():
    parallelise(Blockless(), Parallelism(), None)
    with pytest.raises(ValueError, match="has no attribute `blocks`"):
        parallelise(Blockless(), Parallelism(compile=True), None)
