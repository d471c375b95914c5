"""How far a model's latents are from those of the clean images: what a light decoder has to put up with.

python benchmarks/latent_error.py --model vosr_small_student

Prints the root mean square difference of normalised latents, over the benchmark `builtin`, and how much of it is in the
upper half of the frequencies (white noise: 75 %).
"""

import argparse

import numpy as np
import torch
from PIL import Image

from vosr.checkpoints import load_model
from vosr.core.seeds import derive_seed, noise_for
from vosr.evaluation.autoencoders import ring_shares
from vosr.evaluation.builtin import Builtin
from vosr.flow import integrate


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="vosr_small_student")
    parser.add_argument("--degradation", default="moderate")
    parser.add_argument("--images", type=int, default=13)
    options = parser.parse_args()
    model, benchmark = load_model(options.model), Builtin()
    keys = [key for key in benchmark.names() if key.startswith(options.degradation)][: options.images]
    errors = []
    for key in keys:
        sample = benchmark.load(key)
        enlarged = np.asarray(Image.fromarray(sample.lq).resize(sample.size, Image.Resampling.BICUBIC))
        lq, hq = (tensor(pixels) for pixels in (enlarged, sample.hq))
        condition = model.conditioner.condition(lq)
        start = noise_for([derive_seed("noise", key)], model.latent_shape(*lq.shape[-2:]), lq.device)
        times, solver = model.sampling.times(), model.sampling.solver
        latent = integrate(model.velocity(condition), model.sampling.temperature * start, times, solver)
        errors.append(latent - model.conditioner.autoencoder.encode(hq * 2 - 1))
    total = torch.stack([error.square().mean() for error in errors]).mean().sqrt()
    shares = ring_shares(torch.cat(errors))
    print(f"{options.model} on {len(keys)} images, {options.degradation}: {total:.3f} of the latents' std,")
    print(f"{sum(shares[len(shares) // 2 :]):.0%} of its energy in the upper half of the frequencies")


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


if __name__ == "__main__":
    main()
