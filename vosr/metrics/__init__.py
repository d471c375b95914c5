"""Registered metrics, and the protocol that they share."""

from vosr.metrics.base import ImageMetric, Metric, PairMetric
from vosr.metrics.psnr import PSNRRGB, PSNRY
from vosr.metrics.ssim import MSSSIM, SSIMY
from vosr.registry import Registry

METRICS: Registry[Metric] = Registry("metric", Metric)
METRICS.add("psnr_y", PSNRY)
METRICS.add("ssim_y", SSIMY)
METRICS.add("psnr_rgb", PSNRRGB)
METRICS.add("ms_ssim", MSSSIM)

__all__ = ["METRICS", "ImageMetric", "Metric", "PairMetric"]
