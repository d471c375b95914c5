"""The README's table and picture: held-out photographs under the default degradation, fixed seeds.

    python benchmarks/quality.py [--student vosr_small_student] [--teacher vosr_small_teacher] [--picture
    FILE]

Every crop is degraded by the key of its photograph, so the figures repeat exactly on one machine.
"""

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from data_pipelines import Picture, RealPhotographs
from vosr.checkpoints import load_model
from vosr.degradations import DEGRADATIONS
from vosr.evaluation import gradient_ratio, psnr_y, ssim_y
from vosr.imaging.grid import labelled_grid
from vosr.seeds import derive_seed, generator_for, noise_for


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="vosr_small_student")
    parser.add_argument("--teacher", default="vosr_small_teacher")
    parser.add_argument("--picture", type=Path, help="where to write the picture of the first crops")
    parser.add_argument("--rows", type=int, default=4)
    options = parser.parse_args()
    student, teacher = load_model(options.student), load_model(options.teacher)
    degradation = DEGRADATIONS.build("real_esrgan", scale=student.card.scale, enlarge="bicubic")
    rows = []
    for picture in photographs():
        hq = torch.from_numpy(picture.hq.copy()).permute(2, 0, 1)[None].float() / 255
        lq = degradation.apply(hq, degradation.sample(1, generator_for("validation", picture.key)))
        noise = noise_for([derive_seed("noise", picture.key)], student.latent_shape(*hq.shape[-2:]))
        rows.append((lq, student.restore(lq, noise), teacher.restore(lq, noise), hq))
    titles = (f"{model.card.kind}, steps: {model.sampling.steps}" for model in (student, teacher))
    pictures = dict(zip(("bicubic", *titles, "HQ"), zip(*rows)))
    columns = {title: torch.cat(images) for title, images in pictures.items()}
    report(columns)
    if options.picture:
        labelled_grid({title: images[: options.rows] for title, images in columns.items()}).save(
            options.picture
        )


def photographs() -> list[Picture]:
    """The held-out crops."""
    pictures = RealPhotographs()
    return [pictures[i] for i in range(len(pictures))]


def report(columns: dict[str, torch.Tensor]) -> None:
    """Mean of every measure over the crops."""
    hq = columns["HQ"]
    table = Table(
        *("", "PSNR-Y", "SSIM-Y", "gradient ratio", "|1 - ratio|"),
        title=f"{len(hq)} held-out crops, {hq.shape[-1]} px",
    )
    for title, images in columns.items():
        if title != "HQ":
            ratio = gradient_ratio(images, hq)
            measures = (psnr_y(images, hq), ssim_y(images, hq), ratio, (1 - ratio).abs())
            table.add_row(
                title, *(f"{float(m.mean()):.{digits}f}" for m, digits in zip(measures, (2, 4, 3, 3)))
            )
    Console().print(table)


if __name__ == "__main__":
    main()
