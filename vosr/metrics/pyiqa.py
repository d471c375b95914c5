"""Metrics of the user's own pyiqa: its licence is non-commercial, so that it is no dependency."""

import importlib.util
from typing import Any

from torch import Tensor, nn

from vosr.core.frozen import FrozenModule
from vosr.metrics.base import ImageMetric


class _Pyiqa(ImageMetric):
    needs_reference = False
    variant: str

    def __init__(self) -> None:
        super().__init__()
        self.network = FrozenModule()
        self.network.module = nn.Identity()
        if importlib.util.find_spec("pyiqa") is None:
            self.unavailable = (
                f"{self.title} unavailable: pip install pyiqa (licence: PolyForm Noncommercial)."
            )
            return
        try:
            self.network.module = _create(self.variant)
        except Exception as error:  # whatever pyiqa's download raises
            self.unavailable = f"{self.title} unavailable: pyiqa cannot make {self.variant!r}: {error}"
        self.network.freeze()

    def score(self, restored: Tensor, reference: Tensor | None, lq: Tensor | None) -> Tensor:
        given = (reference,) if self.needs_reference else ()
        network: Any = self.network.module
        value: Tensor = network(restored, *given)
        return value.flatten()


class MUSIQ(_Pyiqa):
    """MUSIQ, no reference, trained on KonIQ-10k (through the user's own pyiqa).

    About [0, 100], higher is better. Takes RGB in [0, 1], whole image. Source: Ke et al. 2021; pyiqa's ``musiq``.
    """

    title = "MUSIQ"
    variant = "musiq"
    digits = 2
    low, high = 0.0, 100.0
    higher_is_better = True


class MANIQA(_Pyiqa):
    """MANIQA, no reference, trained on KonIQ-10k (through the user's own pyiqa).

    About [0, 1], higher is better. Takes RGB in [0, 1], crops drawn by a fixed seed. Source: Yang et al. 2022; pyiqa's
    ``maniqa``.
    """

    title = "MANIQA"
    variant = "maniqa"
    low, high = 0.0, 1.0
    higher_is_better = True


class TOPIQ(_Pyiqa):
    """TOPIQ, no reference, trained on KonIQ-10k (through the user's own pyiqa).

    About [0, 1], higher is better. Takes RGB in [0, 1], whole image. Source: Chen et al. 2024; pyiqa's ``topiq_nr``.
    """

    title = "TOPIQ"
    variant = "topiq_nr"
    low, high = 0.0, 1.0
    higher_is_better = True


class AFINE(_Pyiqa):
    """A-FINE, with a reference that need not be perfect (through the user's own pyiqa).

    [0, 100], lower is better. Takes RGB in [0, 1], whole image. Source: Chen et al. 2025; pyiqa's ``afine_all_scale``.
    """

    title = "A-FINE"
    variant = "afine_all_scale"
    digits = 2
    low, high = 0.0, 100.0
    needs_reference = True


def _create(variant: str) -> Any:
    import pyiqa

    return pyiqa.create_metric(variant, device="cpu")
