"""Tiny complete models."""

import torch
from doubles import MeanEncoder, ShuffleAutoencoder

from vosr.autoencoders import AUTOENCODERS
from vosr.backbones import LightningDiT
from vosr.checkpoints import save_model
from vosr.encoders import NoEncoder
from vosr.guidance import RestorationGuidance
from vosr.model import ModelCard, RestorationModel, Sampling
from vosr.model.conditioner import Conditioner


def tiny_model(kind="student", autoencoder=None, encoder=None, std=0.02, size=32, **card):
    """A model whose result depends on latent, noise and semantics; ``std`` of its last layer says how much."""
    torch.manual_seed(0)
    autoencoder = autoencoder or ShuffleAutoencoder()
    encoder = encoder or MeanEncoder()
    backbone = LightningDiT(
        autoencoder.latent_channels,
        encoder.dim,
        width=32,
        depth=1,
        heads=2,
        latent_grid=16,
        rotary="absolute",
        prediction="residual",
        end_time=kind == "student",
    )
    torch.nn.init.normal_(backbone.final_layer.linear.weight, std=std)
    return RestorationModel(
        Conditioner(autoencoder, encoder),
        backbone,
        RestorationGuidance(),
        Sampling(1 if kind == "student" else 3),
        ModelCard(kind, **({"training_size": size, "color_fix": "none"} | card)),
    )


def save_trained(module, folder):
    """Write a training module's model with weights away from their initial zeros; returns the folder."""
    torch.manual_seed(0)
    module.configure_model()
    for p in module.average.parameters():
        torch.nn.init.normal_(p, std=0.1)
    save_model(module.released(), folder)
    return folder


def small_model():
    """Registered parts only, as most models are."""
    autoencoder = AUTOENCODERS.build("dct")
    encoder = NoEncoder()
    backbone = LightningDiT(
        autoencoder.latent_channels, encoder.dim, width=16, depth=1, heads=1, latent_grid=4, end_time=True
    )
    return RestorationModel(
        Conditioner(autoencoder, encoder),
        backbone,
        RestorationGuidance(),
        Sampling(1),
        ModelCard("student", 32),
    )
