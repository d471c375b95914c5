"""Drawn parameters in words."""

import math
from dataclasses import fields

import torch
from torch import Tensor

from vosr.degradations.base import Degradation, DegradationParams
from vosr.degradations.canvas import MODES
from vosr.degradations.compose import Composite, CompositeParams
from vosr.degradations.real_esrgan import Stage, StageParams

INSIDE = {"first": "1:", "second": "2:", "inside": "there:"}


def describe_params(degradation: Degradation | Stage, params: DegradationParams, index: int) -> list[str]:
    """Lines that describe what ``degradation`` has drawn for the image ``index`` of a batch.

    Steps of a composite appear in the order in which they happen; those that do not are left out. A kernel is given
    by the standard deviations along its two axes, in pixels.
    """
    lines: list[str] = []
    if isinstance(degradation, Composite) and isinstance(params, CompositeParams):
        for number in params.plan[index].tolist():
            if number >= 0:
                step = degradation.steps[number]
                lines += _step(type(step).__name__, step, params.steps[number], index)
        return lines or ["unchanged"]
    words: list[str] = []
    for field in fields(params):
        name, value = field.name, getattr(params, field.name)
        if isinstance(value, DegradationParams):
            lines += _step(INSIDE[name], getattr(degradation, name), value, index)
        elif isinstance(value, Tensor) and name not in _left_out(params, index):
            words += _word(name, value[index])
    return lines + ([", ".join(words)] if words else []) or ["unchanged"]


def _left_out(params: DegradationParams, index: int) -> tuple[str, ...]:
    """Seeds, and parameters of the kind of noise that this image does not get."""
    if not isinstance(params, StageParams):
        return ("seed",)
    return ("seed", "poisson_scale" if params.gaussian[index] else "sigma")


def _step(title: str, degradation: Degradation | Stage, params: DegradationParams, index: int) -> list[str]:
    first, *more = describe_params(degradation, params, index)
    return [f"{title} {first}", *(f"  {line}" for line in more)]


def _word(name: str, value: Tensor) -> list[str]:
    if value.ndim == 2:
        long, short = kernel_stds(value)
        return [f"{name} {long:.2g} x {short:.2g} px"] if long > 1e-3 else []
    label = name.replace("_", " ")
    if value.dtype == torch.bool:
        return [label] if value else []
    return [f"{label} {MODES[int(value)]}" if name.endswith("mode") else f"{label} {float(value):.3g}"]


def kernel_stds(kernel: Tensor) -> tuple[float, float]:
    """Standard deviations in pixels along the long and the short axis of a kernel (k, k), of its magnitude."""
    weights = kernel.abs().double() / kernel.abs().double().sum()
    axis = torch.arange(len(kernel), dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    y, x = y - (weights * y).sum(), x - (weights * x).sum()
    xx, yy, xy = ((weights * f).sum() for f in (x * x, y * y, x * y))
    middle, spread = (xx + yy) / 2, torch.hypot((xx - yy) / 2, xy)
    return math.sqrt(float(middle + spread)), math.sqrt(max(float(middle - spread), 0.0))
