"""The table and image at the end of a run."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from training_modules import teacher, trainer

from data_pipelines import ImageSet
from data_pipelines.images import Sample
from vosr.training import FinalComparison


class Stripes(ImageSet):
    """Two images of 32 px."""

    def __len__(self):
        return 2

    def names(self):
        return ["a", "b"]

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        return Sample(self.names()[index], rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))


def ended(tmp_path, scale=4):
    module = teacher()
    fit = trainer(tmp_path, max_steps=1)
    module.trainer = fit
    module.configure_model()
    module.card = SimpleNamespace(kind="teacher", scale=scale)
    module.restore = lambda model, lq, keys: lq  # bicubic enlargement itself
    return module, SimpleNamespace(
        datamodule=SimpleNamespace(validation=Stripes()), default_root_dir=str(tmp_path), interrupted=False
    )


def test_a_model_that_changes_nothing_equals_bicubic(tmp_path, capsys):
    module, fit = ended(tmp_path)
    FinalComparison(images=2).on_fit_end(fit, module)
    rows = [line.split(",")[1].split() for line in capsys.readouterr().out.splitlines() if "," in line]
    assert [row[0] for row in rows] == ["bicubic", "teacher"] * 2
    assert rows[0][1:] == rows[1][1:]
    assert float(rows[0][1]) > float(rows[2][1]) > 5  # clean is nearer than moderate
    with Image.open(tmp_path / "images" / "final.png") as image:
        assert image.width == 5 * 32 + 4 * 4


def test_nothing_is_compared_where_nothing_is_enlarged(tmp_path, capsys):
    module, fit = ended(tmp_path, scale=1)
    FinalComparison().on_fit_end(fit, module)
    assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="at least one image"):
        FinalComparison(images=0)
    assert torch.is_grad_enabled()
