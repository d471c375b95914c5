"""Films, picture by picture."""

from vosr.video.film import FORMATS, SUFFIXES, Encoding, restore_film

__all__ = ["FORMATS", "SUFFIXES", "Encoding", "restore_film"]
