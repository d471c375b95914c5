"""What is said about weights that a run starts from."""

import pytest
import torch

from vosr.backbones.conv_unet import ConvUNet
from vosr.training.initial_weights import initial_weights


@pytest.mark.parametrize(("residual_std", "named"), [(0.2, []), (0.3, ["residual_std=0.2"])])
def test_only_arguments_that_differ_are_named(caplog, residual_std, named):
    with torch.device("meta"):
        backbone = ConvUNet(48, 132, (64, 128), (8, 6), residual_std=residual_std, pixel_factor=4)
    initial_weights("vosr_small_teacher", backbone)
    assert [record.args[1] + "=" + str(record.args[2]) for record in caplog.records] == named
