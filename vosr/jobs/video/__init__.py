"""Films, image by image."""

from vosr.jobs.video.film import FORMATS, SUFFIXES, CodecName, Encoding, restore_film

__all__ = ["FORMATS", "SUFFIXES", "CodecName", "Encoding", "restore_film"]
