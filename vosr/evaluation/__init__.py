"""Measures of restoration quality."""

from vosr.evaluation.fidelity import gradient_ratio, luma, psnr_y, ssim_y

__all__ = ["gradient_ratio", "luma", "psnr_y", "ssim_y"]
