"""bfloat16 on CPUs only where they compute it."""

from types import SimpleNamespace

import pytest
import torch

from vosr.cli.training import fit_precision
from vosr.training import cpu_precision
from vosr.training.cpu_precision import slow_bfloat16


@pytest.fixture
def processor(monkeypatch):
    def of(has_bfloat16, accelerator=False):
        operations = type("Operations", (), {"_is_mkldnn_bf16_supported": staticmethod(lambda: has_bfloat16)})
        monkeypatch.setattr(cpu_precision.torch.ops, "mkldnn", operations)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: accelerator)

    return of


def test_what_the_processor_and_the_accelerator_decide(processor):
    processor(has_bfloat16=False)
    assert slow_bfloat16("cpu")
    assert slow_bfloat16("auto")
    assert not slow_bfloat16("gpu")
    processor(has_bfloat16=False, accelerator=True)
    assert not slow_bfloat16("auto")
    processor(has_bfloat16=True)
    assert not slow_bfloat16("cpu")


@pytest.mark.parametrize(
    ("has_bfloat16", "asked", "used"),
    [(False, "bf16-mixed", "32-true"), (True, "bf16-mixed", "bf16-mixed"), (False, "16-mixed", "16-mixed")],
)
def test_fit_trains_in_what_the_cpu_computes(processor, caplog, has_bfloat16, asked, used):
    processor(has_bfloat16)
    trainer = SimpleNamespace(precision=asked, accelerator="cpu")
    fit_precision(trainer)
    assert trainer.precision == used
    assert ("training in 32-true instead of bf16-mixed" in caplog.text) == (asked != used)


@pytest.mark.parametrize("asked", ["bf16-true", "16-true", "64-true", "transformer-engine"])
def test_weights_are_trained_in_float32(asked):
    with pytest.raises(
        ValueError, match=rf"^trainer\.precision={asked} is none that training takes: .* bf16-mixed"
    ):
        fit_precision(SimpleNamespace(precision=asked, accelerator="cpu"))
