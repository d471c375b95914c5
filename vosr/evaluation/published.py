"""The paper's table, to stand beside measured figures: published, not measured here."""

from dataclasses import dataclass

SOURCE = "VOSR (CVPR 2026, arXiv 2604.03225), RealSR x4, 512x512 crops, PSNR and SSIM on Y"
COLUMNS = ("PSNR", "SSIM", "LPIPS", "DISTS", "NIQE", "MUSIQ", "MANIQA")
DIGITS = (2, 4, 4, 4, 2, 2, 4)


@dataclass(frozen=True)
class Published:
    """A row of the published table.

    Attributes:
        model: its name in the paper.
        steps: evaluations of the backbone.
        figures: of :data:`COLUMNS`.
    """

    model: str
    steps: int
    figures: tuple[float, ...]


TABLE = (
    Published("SeeSR (text-to-image)", 50, (25.15, 0.7211, 0.3007, 0.2224, 5.40, 69.82, 0.6451)),
    Published("VOSR-0.5B-ms", 25, (25.44, 0.7125, 0.3069, 0.2260, 5.71, 68.93, 0.6429)),
    Published("VOSR-1.4B-ms", 25, (25.29, 0.7150, 0.2961, 0.2226, 6.26, 70.47, 0.6510)),
    Published("OSEDiff (text-to-image)", 1, (25.15, 0.7341, 0.2920, 0.2128, 5.64, 69.08, 0.6335)),
    Published("PiSA-SR (text-to-image)", 1, (25.50, 0.7418, 0.2672, 0.2044, 5.50, 70.14, 0.6551)),
    Published("SinSR (vision-only)", 1, (26.28, 0.7347, 0.3188, 0.2352, 6.29, 60.78, 0.5413)),
    Published("VOSR-0.5B-os", 1, (25.42, 0.7220, 0.2856, 0.2110, 5.28, 69.78, 0.6347)),
    Published("VOSR-1.4B-os", 1, (25.23, 0.7175, 0.2732, 0.2054, 5.43, 70.58, 0.6443)),
)
