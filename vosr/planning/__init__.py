"""Costs of a training run before it is started: operations, memory, communication and time, without any weights."""

from vosr.planning.advice import advise
from vosr.planning.devices import DEVICES, Device, find_device, reported_device
from vosr.planning.job import TrainingJob
from vosr.planning.plan import Plan, Planner

__all__ = ["DEVICES", "Device", "Plan", "Planner", "TrainingJob", "advise", "find_device", "reported_device"]
