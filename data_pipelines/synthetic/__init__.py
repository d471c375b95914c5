"""Procedural training images: dead leaves with textures, edges, shading and text."""

from data_pipelines.synthetic.dead_leaves import DeadLeaves
from data_pipelines.synthetic.prepare import SyntheticData

__all__ = ["DeadLeaves", "SyntheticData"]
