import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def trained_teacher(tmp_path_factory):
    """A teacher whose weights are away from their initial zeros."""
    from layouts import teacher

    from vosr.checkpoints import save_model

    torch.manual_seed(0)
    module = teacher()
    module.configure_model()
    for p in module.average.parameters():
        torch.nn.init.normal_(p, std=0.1)
    folder = tmp_path_factory.mktemp("teacher")
    save_model(module.released(), folder)
    return folder
