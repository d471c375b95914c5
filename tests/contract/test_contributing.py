"""What CONTRIBUTING shows works as it stands."""

import re
from pathlib import Path

import lightning
import torch
from doubles import Dim, MeanEncoder, ShuffleAutoencoder
from training_configs import CONFIGS, parse

from vosr.backbones import LightningDiT
from vosr.degradations.kornia_augmentation import KorniaAugmentation
from vosr.encoders import TimmEncoder
from vosr.guidance import RestorationGuidance
from vosr.model import Sampling
from vosr.objectives import FlowMatching
from vosr.training import TeacherModule
from vosr.training.validation_metrics import ValidationMetrics

TEXT = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def shown(heading, language):
    """The first code block below a heading."""
    section = TEXT.split(f"## {heading}\n", 1)[1]
    return re.search(rf"```{language}\n(.*?)```", section, re.S)[1]


def test_an_encoder_of_timm(tmp_path):
    (tmp_path / "mine.yaml").write_text(shown("Bring an encoder of timm", "yaml"))
    cli = parse("--config", str(CONFIGS / "teacher.yaml"), "--config", str(tmp_path / "mine.yaml"))
    with torch.device("meta"):
        encoder = cli.parser.instantiate_classes(cli.config).fit.model.conditioner.encoder
    assert isinstance(encoder, TimmEncoder)
    assert (encoder.block, encoder.dim) == (3, 112)


def test_a_degradation_of_kornia(tmp_path):
    (tmp_path / "mine.yaml").write_text(shown("Bring a degradation of kornia", "yaml"))
    cli = parse("--config", str(CONFIGS / "teacher.yaml"), "--config", str(tmp_path / "mine.yaml"))
    given = cli.config.fit.model.init_args.degradation
    assert given.class_path.rpartition(".")[2] == "KorniaAugmentation"
    degradation = KorniaAugmentation(**given.init_args)
    hq = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    lq = [degradation(hq, torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*lq)
    blurred = [float((one - other).abs().max()) > 0.05 for one, other in zip(hq, lq[0])]
    assert 0 < sum(blurred) < 8  # p is 0.5, drawn for each image


def test_a_data_module_of_ones_own(tmp_path):
    names = {"lightning": lightning, "torch": torch}
    exec(shown("Bring a data module", "python"), names)
    teacher = TeacherModule(
        autoencoder=ShuffleAutoencoder(),
        encoder=MeanEncoder(),
        backbone=lambda channels, dim: LightningDiT(
            channels, dim, width=32, depth=1, heads=2, latent_grid=16
        ),
        guidance=RestorationGuidance(),
        objective=FlowMatching(),
        degradation=Dim(),
        sampling=Sampling(steps=1),
        training_size=32,
    )
    trainer = lightning.Trainer(
        max_steps=2, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, default_root_dir=tmp_path, num_sanity_val_steps=0, val_check_interval=2,
        limit_val_batches=1, callbacks=[ValidationMetrics(["psnr_y"])],
    )  # fmt: skip
    trainer.fit(teacher, names["Noise"]())
    assert trainer.global_step == 2
    assert trainer.callback_metrics["loss"].isfinite()
    assert 0 < float(trainer.callback_metrics["val/psnr_y"]) < 60
