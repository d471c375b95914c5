"""Films, image by image."""

from vosr.jobs.video.film import FORMATS, SUFFIXES, CodecName, VideoEncoding, restore_film

__all__ = ["FORMATS", "SUFFIXES", "CodecName", "VideoEncoding", "restore_film"]
