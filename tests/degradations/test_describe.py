"""Drawn parameters in words."""

import torch

from vosr.degradations import DEGRADATIONS, Sequence
from vosr.degradations.describe import describe_params, kernel_stds
from vosr.degradations.kernels import gaussian_kernels


def test_kernels_are_described_by_their_two_stds():
    one = torch.ones(1, dtype=torch.float64)
    long, short = kernel_stds(gaussian_kernels(41, 4 * one, 2 * one, 0.7 * one)[0])
    assert abs(long - 4) < 0.05
    assert abs(short - 2) < 0.05


def test_steps_are_told_in_their_order_and_only_if_they_happen():
    noise, jpeg = DEGRADATIONS.build("gaussian_noise", sigma=(9.0, 9.0)), DEGRADATIONS.build("jpeg")
    degradation = Sequence([noise, jpeg], [1.0, 0.0])
    params = degradation.sample(1, torch.Generator().manual_seed(0))
    (line,) = describe_params(degradation, params, 0)
    assert line.startswith("GaussianNoise")
    assert "sigma 9" in line
    never = Sequence([noise], [0.0])
    assert describe_params(never, never.sample(1, torch.Generator()), 0) == ["unchanged"]


def test_every_degradation_can_be_told():
    for name, cls in DEGRADATIONS:
        if name not in ("sequence", "shuffle", "choice"):
            degradation = cls()
            lines = describe_params(degradation, degradation.sample(2, torch.Generator().manual_seed(0)), 1)
            assert lines, name
            assert all(lines), name


def test_only_the_noise_that_happens_is_told():
    degradation = DEGRADATIONS.build("real_esrgan")
    params = degradation.sample(40, torch.Generator().manual_seed(0))
    for index, gaussian in enumerate(params.first.gaussian.tolist()):
        told = " ".join(describe_params(degradation, params, index)).partition("2:")[0]
        assert ("sigma" in told) == gaussian
        assert ("poisson" in told) != gaussian
