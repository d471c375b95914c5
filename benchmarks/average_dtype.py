"""What an average of the weights loses in bfloat16: against one in float64, over a simulated training.

Run as ``python benchmarks/average_dtype.py``. Weights begin as those of a linear layer and move by a rate of 1e-4 a
step in drifting directions, as AdamW moves them; the decay is the paper's. "stored" rounds the average after each
update to the nearest bfloat16, "stochastic" up or down at random, so that its expectation is exact. The error is a
share of the distance between the average and the last weights: averaging is worth something while it is well below 1.
"""

import torch

STEPS, SIZE, DECAY, RATE = 20_000, 4096, 0.9999, 1e-4


def stochastic(x: torch.Tensor, g: torch.Generator) -> torch.Tensor:
    """``x``, float32, with its last 16 bits rounded away at random."""
    noise = torch.randint(0, 1 << 16, x.shape, generator=g, dtype=torch.int32)
    return ((x.view(torch.int32) + noise) & ~0xFFFF).view(torch.float32)


def main() -> None:
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(SIZE, generator=g, dtype=torch.float64) * 0.03
    exact, single = weights.clone(), weights.float()
    nearest, random = weights.bfloat16().float(), weights.bfloat16().float()
    direction = torch.zeros_like(weights)
    for n in range(STEPS):
        direction = 0.9 * direction + 0.1 * torch.randn(SIZE, generator=g, dtype=torch.float64)
        weights += RATE * direction / direction.square().mean().sqrt()
        share = 1 - min(DECAY, (1 + n) / (10 + n))
        exact.lerp_(weights, share)
        single.lerp_(weights.float(), share)
        nearest = nearest.lerp(weights.float(), share).bfloat16().float()
        random = stochastic(random.lerp(weights.float(), share), g)
    distance = (exact - weights).norm()
    still = exact.float().bfloat16().double()
    for name, average in (("float32", single), ("rounded once, at the end", still),
                          ("bfloat16, stored", nearest), ("bfloat16, stochastic", random)):  # fmt: skip
        print(f"{name:26}{float((average.double() - exact).norm() / distance):.2g}")


if __name__ == "__main__":
    main()
