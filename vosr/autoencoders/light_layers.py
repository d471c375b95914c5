"""The network of a light decoder; imports diffusers, which is slow."""

import torch
from diffusers.models.autoencoders.vae import Decoder
from torch import nn


class LightDecoderNetwork(Decoder):
    """Decoder of diffusers, as it trains: its state dict is that of the released light decoder."""

    @property
    def blocks(self) -> list[nn.Module]:
        """What activation checkpointing, compilation and FSDP take one by one."""
        return [self.mid_block, *self.up_blocks]

    def reset_parameters(self) -> None:
        """Draw initial weights anew; it begins as a grey image, or as what the autoencoder adds to it."""
        reset_layers(self)
        with torch.no_grad():
            for parameter in self.conv_out.parameters():
                parameter.zero_()


def reset_layers(network: nn.Module) -> None:
    """Draw the initial weights of every convolution, linear layer and norm inside a network."""
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if module is not network and callable(reset):
            reset()
