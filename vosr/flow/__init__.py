"""Path, times and solvers of the flow. Direction of time: t = 1 is noise, t = 0 is data."""

from vosr.flow.path import interpolate, per_sample, velocity
from vosr.flow.solvers import Solver, integrate
from vosr.flow.times import Schedule, TimeDistribution, sample_times, shift_times, time_grid

__all__ = [
    "Schedule",
    "Solver",
    "TimeDistribution",
    "integrate",
    "interpolate",
    "per_sample",
    "sample_times",
    "shift_times",
    "time_grid",
    "velocity",
]
