"""The starting noise's temperature: 0 takes the noise out of the result, 1 leaves it as it was."""

from dataclasses import replace

import numpy as np
import torch
from models import tiny_model

from vosr.inference import Restorer


def at(temperature):
    model = tiny_model()
    model.sampling = replace(model.sampling, temperature=temperature)
    return model


def test_model_and_restorer_agree_on_what_temperature_means():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    cold, warm = Restorer(at(0.0)), Restorer(at(1.0))
    assert np.array_equal(cold(image, scale=1, seed=1), cold(image, scale=1, seed=2))
    assert not np.array_equal(warm(image, scale=1, seed=1), warm(image, scale=1, seed=2))
    model = at(0.0)
    lq = torch.rand(1, 3, 16, 16)
    noise = torch.randn(1, *model.latent_shape(16, 16))
    assert torch.equal(model.restore(lq, noise), at(1.0).restore(lq, torch.zeros_like(noise)))
