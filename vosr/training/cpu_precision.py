"""Whether mixed precision pays on this machine's processor."""

import torch


def slow_bfloat16(accelerator: str) -> bool:
    """Whether ``accelerator`` (of the Trainer; "auto" included) is a CPU that has no bfloat16 arithmetic.

    Without AVX512 or AMX a product of bfloat16 matrices is formed one number at a time: on an AVX2 processor 100 times
    slower than in float32, and a convolution 10 times.
    """
    if accelerator == "auto":
        accelerator = "gpu" if torch.accelerator.is_available() else "cpu"
    return accelerator == "cpu" and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
