"""Distance of the JPEG codecs to Pillow's encoder and decoder at the same quality, in 8-bit steps.

Run as ``python benchmarks/jpeg.py``: images of the golden file, and a photograph of scikit-image. Writes the rows
of the table in docs/degradations.md.
"""

import io
from pathlib import Path

import numpy as np
import torch
from kornia.enhance import JPEGCodecDifferentiable
from PIL import Image
from safetensors.torch import load_file
from skimage import data
from torch import Tensor

from vosr.degradations.jpeg import jpeg

GOLDEN = Path(__file__).parents[1] / "tests/golden/degradation_ops.safetensors"


def pillow(image: Tensor, quality: Tensor) -> Tensor:
    decoded = []
    for single, q in zip(image, quality):
        buffer = io.BytesIO()
        pixels = (single * 255).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(q))
        decoded.append(torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1) / 255)
    return torch.stack(decoded)


def steps(image: Tensor, other: Tensor) -> list[str]:
    return [f"{d:.2f}" for d in ((image - other).abs().mean((1, 2, 3)) * 255).tolist()]


def rows(name: str, image: Tensor, quality: Tensor, reference: Tensor | None) -> None:
    real = pillow(image, quality)
    codecs = [jpeg(image, quality), JPEGCodecDifferentiable()(image, quality).clamp(0, 1)]
    columns = [steps(each, real) for each in codecs]
    columns.append(["–"] * len(image) if reference is None else steps(reference, real))
    for q, *cells in zip(quality.tolist(), *columns):
        print("|", " | ".join([name, f"{q:.0f}", *cells]), "|")


def main() -> None:
    golden = load_file(GOLDEN)
    quality = golden["jpeg.quality"].float()
    rows("golden file", golden["jpeg.image"], quality, golden["jpeg.out"])
    crop = torch.from_numpy(data.astronaut()[0:256, 100:356].copy()).permute(2, 0, 1) / 255
    rows("astronaut, 256 px", crop.expand(len(quality), -1, -1, -1).contiguous(), quality, None)


if __name__ == "__main__":
    main()
