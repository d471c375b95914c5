"""Procedural training images: dead leaves, drawn graphics, simple patterns."""

from data_pipelines.synthetic.dead_leaves import DeadLeaves
from data_pipelines.synthetic.graphics import Graphics
from data_pipelines.synthetic.patterns import Patterns
from data_pipelines.synthetic.prepare import SyntheticData

__all__ = ["DeadLeaves", "Graphics", "Patterns", "SyntheticData"]
