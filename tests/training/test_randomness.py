from dataclasses import asdict

import torch

from vosr.autoencoders.posterior import draw_latent
from vosr.degradations import DEGRADATIONS, Degradation
from vosr.guidance import RestorationGuidance
from vosr.objectives import RCGM, FlowMatching
from vosr.training.randomness import StepRandom

CPU = torch.device("cpu")


def streams(keys, step=3, seed=0):
    return StepRandom(seed, step, keys, CPU)


def test_a_batch_draws_what_its_parts_draw():
    latent = torch.zeros(3, 4, 2, 2)
    for draw in (FlowMatching().draw, RCGM().draw, RestorationGuidance().draw):
        whole = streams(["a", "b", "c"]).draw("x", draw, latent)
        parts = [streams(keys).draw("x", draw, latent[: len(keys)]) for keys in (["c"], ["a", "b"])]
        for name, value in vars(whole).items():
            if isinstance(value, torch.Tensor):
                joined = torch.cat([getattr(parts[1], name), getattr(parts[0], name)])
                assert torch.equal(value, joined), name
                assert len({str(one.tolist()) for one in value}) > 1 or value.dtype == torch.bool


def test_streams_differ_by_seed_step_purpose_key_and_occurrence():
    def number(random, purpose="x", which=0):
        return float(torch.rand((), generator=random.samples(purpose)[which]))

    twice = streams(["a", "a"])
    numbers = [
        number(streams(["a"])), number(streams(["a"], step=4)), number(streams(["a"], seed=1)),
        number(streams(["a"]), "y"), number(streams(["b"])), number(twice, which=1),
    ]  # fmt: skip
    assert len(set(numbers)) == len(numbers)
    assert number(twice) == numbers[0]
    shared = [torch.rand((), generator=streams(keys).shared("x")) for keys in (["a"], ["b", "c"])]
    assert shared[0] == shared[1]


def test_degradations_draw_each_image_by_itself():
    def compare(whole, first, second, path=""):
        for name, value in asdict(whole).items():
            parts = [getattr(part, name) for part in (first, second)]
            if isinstance(value, dict):
                compare(getattr(whole, name), *parts, f"{path}/{name}")
            else:
                assert torch.equal(value, torch.cat(parts)), f"{path}/{name}"

    for name in ("real_esrgan", "gaussian_noise", "motion_blur", "jpeg"):
        degradation = DEGRADATIONS.build(name)
        whole = degradation.sample_each(streams(["a", "b", "c"]).samples("x"))
        first, second = (degradation.sample_each(streams(keys).samples("x")) for keys in (["a"], ["b", "c"]))
        compare(whole, first, second)
    esrgan = DEGRADATIONS.build("real_esrgan")
    whole = esrgan.sample_each(streams(["a", "b"]).samples("x"))
    compare(whole, *(Degradation.sample_each(esrgan, streams([k]).samples("x")) for k in ("a", "b")))


def test_posterior_takes_a_stream_for_each_sample():
    moments = torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    whole = draw_latent(moments, True, streams(["a", "b"]).samples("x"))
    alone = draw_latent(moments[1:], True, streams(["b"]).samples("x")[0])
    assert torch.equal(whole[1:], alone)
    assert not torch.equal(whole[1:], moments[1:, :4])
