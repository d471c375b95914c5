"""Drawn parameters in words."""

import math

import torch
from torch import Tensor

from vosr.degradations.base import DegradationParams
from vosr.degradations.canvas import MODES

UNSEEN = ("seed",)
INSIDE = {"first": "1:", "second": "2:", "inside": "there:"}


def describe_params(params: DegradationParams, index: int) -> list[str]:
    """Lines that describe what is drawn for the image ``index`` of a batch.

    Steps of a composite appear in the order in which they happen; those that do not are left out. A kernel is given
    by the standard deviations along its two axes, in pixels.
    """
    if "plan" in params:
        names = list(params)
        steps = [names[1 + i] for i in params["plan"][index].tolist() if i >= 0]
        described = [_step(name.partition("_")[2], params[name], index) for name in steps]
        return [line for step in described for line in step] or ["unchanged"]
    lines: list[str] = []
    words: list[str] = []
    for name, value in params.items():
        if name in _unused(params, index):
            continue
        if isinstance(value, dict):
            lines += _step(INSIDE.get(name, name), value, index)
        elif name not in UNSEEN and (word := _word(name, value[index])):
            words.append(word)
    return lines + ([", ".join(words)] if words else []) or ["unchanged"]


def _unused(params: DegradationParams, index: int) -> tuple[str, ...]:
    """Parameters of the kind of noise that this image does not get."""
    if "gaussian" not in params:
        return ()
    return ("poisson_scale",) if params["gaussian"][index] else ("sigma",)


def _step(title: str, params: DegradationParams, index: int) -> list[str]:
    first, *more = describe_params(params, index)
    return [f"{title} {first}", *(f"  {line}" for line in more)]


def _word(name: str, value: Tensor) -> str:
    if value.ndim == 2:
        long, short = kernel_stds(value)
        return f"{name} {long:.2g} x {short:.2g} px" if long > 1e-3 else ""
    label = name.replace("_", " ")
    if value.dtype == torch.bool:
        return label if value else ""
    return f"{label} {MODES[int(value)]}" if name.endswith("mode") else f"{label} {float(value):.3g}"


def kernel_stds(kernel: Tensor) -> tuple[float, float]:
    """Standard deviations in pixels along the long and the short axis of a kernel (k, k), of its magnitude."""
    weights = kernel.abs().double() / kernel.abs().double().sum()
    axis = torch.arange(len(kernel), dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    y, x = y - (weights * y).sum(), x - (weights * x).sum()
    xx, yy, xy = ((weights * f).sum() for f in (x * x, y * y, x * y))
    middle, spread = (xx + yy) / 2, torch.hypot((xx - yy) / 2, xy)
    return math.sqrt(float(middle + spread)), math.sqrt(max(float(middle - spread), 0.0))
