"""Registered metrics, and the protocol that they share."""

from vosr.core.registry import Registry
from vosr.metrics.base import ImageMetric, Metric, PairMetric
from vosr.metrics.clip_iqa import CLIPIQA
from vosr.metrics.dists import DISTS
from vosr.metrics.features import FeatureDistance
from vosr.metrics.flicker import Flicker
from vosr.metrics.inception import FID, KID
from vosr.metrics.lpips import LPIPSVGG, LPIPSAlex
from vosr.metrics.niqe import NIQE
from vosr.metrics.psnr import PSNRRGB, PSNRY
from vosr.metrics.pyiqa import AFINE, MANIQA, MUSIQ, TOPIQ
from vosr.metrics.regions import ColourShift, Consistency, Flatness, Grey
from vosr.metrics.ssim import MSSSIM, SSIMY
from vosr.metrics.vgg import VGGFeatureDistance

METRICS: Registry[Metric] = Registry("metric", Metric)
METRICS.add("psnr_y", PSNRY)
METRICS.add("ssim_y", SSIMY)
METRICS.add("psnr_rgb", PSNRRGB)
METRICS.add("ms_ssim", MSSSIM)
METRICS.add("lpips", LPIPSAlex)
METRICS.add("lpips_vgg", LPIPSVGG)
METRICS.add("dists", DISTS)
METRICS.add("feature_distance", FeatureDistance)
METRICS.add("vgg_features", VGGFeatureDistance)
METRICS.add("niqe", NIQE)
METRICS.add("consistency", Consistency)
METRICS.add("flatness", Flatness)
METRICS.add("grey", Grey)
METRICS.add("colour_shift", ColourShift)
METRICS.add("flicker", Flicker)
METRICS.add("clip_iqa", CLIPIQA)
METRICS.add("musiq", MUSIQ)
METRICS.add("maniqa", MANIQA)
METRICS.add("topiq", TOPIQ)
METRICS.add("afine", AFINE)
METRICS.add("fid", FID)
METRICS.add("kid", KID)

__all__ = ["METRICS", "ImageMetric", "Metric", "PairMetric"]
