"""On Apple's MPS: the image that the CPU makes, in the types that MPS has."""

import numpy as np
import pytest
import torch

from vosr import Restorer
from vosr.core.devices import default_dtype

LQ = np.random.default_rng(0).integers(0, 256, (20, 28, 3), dtype=np.uint8)
MPS = pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no MPS here")


def test_the_automatic_dtype_of_each_device():
    kinds = {"cuda": torch.float16, "mps": torch.float32, "cpu": torch.float32}
    assert {kind: default_dtype(torch.device(kind)) for kind in kinds} == kinds


@pytest.mark.mps
@MPS
@pytest.mark.parametrize("model", ["vosr_small_student", "vosr_small_teacher"])
@pytest.mark.parametrize(
    "options", [{}, {"color_fix": "adain"}, {"color_fix": "wavelet"}, {"semantics": "both"}]
)
def test_shipped_models_restore_as_on_the_cpu(model, options):
    restorer = Restorer.from_pretrained(model, "cpu")
    expected = restorer(LQ, **options).astype(int)
    restored = restorer.to("mps")(LQ, **options)
    assert np.abs(restored - expected).max() <= 2
    parameters = [*restorer.model.parameters(), *restorer.model.buffers()]
    assert not any(value.dtype == torch.float64 for value in parameters)


@pytest.mark.mps
@MPS
def test_half_precision_is_close():
    full = Restorer.from_pretrained("vosr_small_student", "mps")(LQ).astype(int)
    half = Restorer.from_pretrained("vosr_small_student", "mps", dtype="float16")(LQ)
    assert np.abs(half - full).max() <= 4
