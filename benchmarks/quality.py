"""The README's table and image: held-out photographs under the default degradation, fixed seeds.

    python benchmarks/quality.py [--student vosr_small_student] [--teacher vosr_small_teacher] [--image
    FILE]

Every crop is degraded by the key of its photograph, so the figures repeat exactly on one machine.
"""

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from data_pipelines import RealPhotographs, Sample
from vosr.checkpoints import load_model
from vosr.core.seeds import derive_seed, generator_for, noise_for
from vosr.degradations import DEGRADATIONS
from vosr.imaging.grid import labelled_grid
from vosr.metrics import METRICS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--student", default="vosr_small_student")
    parser.add_argument("--teacher", default="vosr_small_teacher")
    parser.add_argument("--image", type=Path, help="where to write the image of the first crops")
    parser.add_argument("--rows", type=int, default=4)
    options = parser.parse_args()
    student, teacher = load_model(options.student), load_model(options.teacher)
    degradation = DEGRADATIONS.build("real_esrgan", scale=student.card.scale, enlarge="bicubic")
    rows = []
    for image in photographs():
        hq = torch.from_numpy(image.hq.copy()).permute(2, 0, 1)[None].float() / 255
        lq = degradation.apply(hq, degradation.sample(1, generator_for("validation", image.key)))
        noise = noise_for([derive_seed("noise", image.key)], student.latent_shape(*hq.shape[-2:]))
        rows.append((lq, student.restore(lq, noise), teacher.restore(lq, noise), hq))
    titles = (f"{model.card.kind}, steps: {model.sampling.steps}" for model in (student, teacher))
    images = dict(zip(("bicubic", *titles, "HQ"), zip(*rows)))
    columns = {title: torch.cat(images) for title, images in images.items()}
    report(columns)
    if options.image:
        labelled_grid({title: images[: options.rows] for title, images in columns.items()}).save(
            options.image
        )


def photographs() -> list[Sample]:
    """The held-out crops."""
    images = RealPhotographs()
    return [images[i] for i in range(len(images))]


def report(columns: dict[str, torch.Tensor]) -> None:
    """Mean of every measure over the crops."""
    hq = columns["HQ"]
    metrics = [METRICS.build(name) for name in ("psnr_y", "ssim_y", "feature_distance")]
    titles = [metric.title for metric in metrics]
    table = Table("", *titles, title=f"{len(hq)} held-out crops, {hq.shape[-1]} px")
    for title, images in columns.items():
        if title != "HQ":
            means = (metric.measure(images, hq).mean().item() for metric in metrics)
            table.add_row(title, *(f"{mean:.{metric.digits}f}" for mean, metric in zip(means, metrics)))
    Console().print(table)


if __name__ == "__main__":
    main()
