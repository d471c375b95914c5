"""Both training modules at the smallest size, and a trainer that writes nothing."""

import lightning as L
import torch
from doubles import Dim, MeanEncoder, ShuffleAutoencoder

from vosr.backbones import LightningDiT
from vosr.guidance import RestorationGuidance
from vosr.model import Sampling
from vosr.objectives import RCGM, FlowMatching
from vosr.training import DistillationModule, TeacherModule


def backbone(channels, semantic_dim):
    return LightningDiT(channels, semantic_dim, width=32, depth=1, heads=2, latent_grid=8)


def teacher(**overrides):
    options = {
        "autoencoder": ShuffleAutoencoder(),
        "encoder": MeanEncoder(),
        "backbone": backbone,
        "guidance": RestorationGuidance(),
        "objective": FlowMatching(),
        "degradation": Dim(),
        "sampling": Sampling(steps=2),
        "training_size": 16,
        "optimizer": lambda p: torch.optim.AdamW(p, lr=1e-2),
        "ema_decay": 0.9,
    }
    return TeacherModule(**(options | overrides))


def student(folder, **overrides):
    options = {
        "teacher": folder,
        "guidance": RestorationGuidance(),
        "objective": RCGM(),
        "degradation": Dim(),
        "optimizer": lambda p: torch.optim.AdamW(p, lr=1e-3),
        "teacher_steps": 2,
        "trust_remote_code": True,  # the doubles are no registered parts
    }
    return DistillationModule(**(options | overrides))


def trainer(folder, **overrides):
    options = {
        "max_steps": 4,
        "accelerator": "cpu",
        "logger": False,
        "log_every_n_steps": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "default_root_dir": folder,
        "num_sanity_val_steps": 0,
    }
    return L.Trainer(**(options | overrides))
