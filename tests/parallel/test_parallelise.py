from functools import partial

import pytest
import torch
from layouts import backbone

from vosr.backbones import Backbone
from vosr.training.parallel import Parallelism, load_weights, parallelise, reset_weights


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


@pytest.mark.parametrize("compiled", [False, True])
def test_options_change_neither_values_nor_names(compiled, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, optimised = fresh(), fresh(Parallelism(activation_checkpointing=True, compile=compiled))
    assert list(plain.state_dict()) == list(optimised.state_dict())
    results = [model(*inputs()) for model in (plain, optimised)]
    torch.testing.assert_close(results[1], results[0])
    for result in results:
        result.square().mean().backward()
    for (name, p), q in zip(plain.named_parameters(), optimised.parameters()):
        torch.testing.assert_close(q.grad, p.grad, msg=name)


def test_checkpointed_blocks_run_again_in_the_backward_pass():
    for options, expected in ((Parallelism(), 1), (Parallelism(activation_checkpointing=True), 2)):
        model, calls = fresh(options), []
        model.blocks[0].attn.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        model(*inputs()).sum().backward()
        assert len(calls) == expected


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
