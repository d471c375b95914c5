"""Words that options take. Importing them costs nothing, so that help does not wait for torch."""

from typing import Literal

ColorFix = Literal["adain", "wavelet", "atrous", "none"]
"""Correction of the colours against the enlarged input."""
DTypeName = Literal["auto", "float32", "bfloat16", "float16"]
Semantics = Literal["tile", "image", "both"]
"""What the vision encoder reads for a tile."""
