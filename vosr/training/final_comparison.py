"""Comparison with bicubic enlargement at the end of a run, as a table and as images."""

import statistics
from pathlib import Path

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from data_pipelines import ImageSet
from vosr.core.files.atomic import write_atomically
from vosr.evaluation.benchmark import Pixels
from vosr.evaluation.degrading import degradation
from vosr.imaging.grid import labelled_grid
from vosr.metrics import METRICS
from vosr.training.restoration import RestorationModule


class FinalComparison(L.Callback):
    """At the end of ``fit``: PSNR-Y and SSIM-Y beside bicubic enlargement on the validation images, and both as images.

    The images are reduced by the model's scale as in the benchmark ``builtin`` and enlarged by Pillow's bicubic filter,
    which is also the model's input. Models that enlarge nothing (scale 1) and sharded ones are left out.

    Args:
        degradations: "clean", "moderate" or registered names, as in ``python main.py evaluate``.
        images: validation images at most.
    """

    def __init__(self, degradations: tuple[str, ...] = ("clean", "moderate"), images: int = 6) -> None:
        if not degradations or images < 1:
            raise ValueError("FinalComparison needs a degradation and at least one image.")
        self.degradations = degradations
        self.images = images

    @rank_zero_only
    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, RestorationModule)
        images = getattr(getattr(trainer, "datamodule", None), "validation", None)
        left_out = (
            pl_module.card.scale == 1
            or pl_module.shards is not None
            or getattr(trainer, "fast_dev_run", False)
        )
        if left_out or trainer.interrupted or not isinstance(images, ImageSet):
            return
        samples = [images[i] for i in range(min(self.images, len(images)))]
        reference = torch.stack([_tensor(sample.hq) for sample in samples])
        columns: dict[str, Tensor] = {}
        table = Table("validation images", "PSNR-Y (dB)", "SSIM-Y", box=None, pad_edge=False)
        for name in self.degradations:
            degrade = degradation(name, pl_module.card.scale)
            lq = torch.stack([_tensor(_enlarged(degrade(s.hq, s.key), s.hq.shape)) for s in samples])
            restored = self._restored(pl_module, lq, [sample.key for sample in samples])
            for title, result in (("bicubic", lq), (pl_module.card.kind, restored)):
                columns[f"{name}: {title}"] = result
                table.add_row(
                    f"{name}, {title}", *(_mean(m, result, reference) for m in ("psnr_y", "ssim_y"))
                )
        Console(soft_wrap=True).print(table)
        path = Path(trainer.default_root_dir) / "images" / "final.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        grid = labelled_grid({**columns, "HQ": reference})
        write_atomically(path, lambda temporary: grid.save(temporary, format="PNG"))

    @torch.no_grad()
    def _restored(self, module: RestorationModule, lq: Tensor, keys: list[str]) -> Tensor:
        single = zip(lq.to(module.device).split(1), keys)
        return torch.cat([module.restore(module.released(), one, [key]).cpu() for one, key in single])


def _tensor(image: Pixels) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255


def _enlarged(image: Pixels, shape: tuple[int, ...]) -> Pixels:
    return np.asarray(Image.fromarray(image).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _mean(metric: str, result: Tensor, reference: Tensor) -> str:
    values = METRICS.build(metric).measure(result, reference).tolist()  # type: ignore[operator]
    return f"{statistics.fmean(values):.2f}" if metric == "psnr_y" else f"{statistics.fmean(values):.4f}"
