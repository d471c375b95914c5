"""Train, distil and run vision-only generative image restoration.

Importing this package is cheap: torch and the components are loaded when first used.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vosr.checkpoints import load_model
    from vosr.inference import Restorer

__all__ = ["Restorer", "load_model"]

# OpenMP reads it when torch is loaded. Threads that spin while they wait take the cores from every other process:
# beside one, both become several times as slow.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def __getattr__(name: str) -> Any:
    if name == "Restorer":
        from vosr.inference import Restorer

        return Restorer
    if name == "load_model":
        from vosr.checkpoints import load_model

        return load_model
    raise AttributeError(f"module 'vosr' has no attribute {name!r}")
