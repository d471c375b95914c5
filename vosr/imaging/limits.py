"""How much of a file may be read: counted in bytes before they are allocated."""

from dataclasses import dataclass

from vosr.imaging.errors import TooLargeError

MOST_PIXELS = 2**29
"""Of one image; a small file can claim any size."""
MOST_BYTES = 3 * 2**30
"""Of decoded samples, of all images that are read together: 2**29 pixels of RGB with 16 bits."""
MOST_SAMPLES = 16
"""Of a pixel: colours, opacity and some channels of an editor."""
MOST_IMAGES = 10_000
"""Restored out of one file."""


@dataclass(frozen=True)
class Header:
    """What a file says of its image before it is decoded.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        samples: of a pixel.
        itemsize: bytes of a sample once decoded.
        frames: images in the file.
    """

    width: int
    height: int
    samples: int = 3
    itemsize: int = 1
    frames: int = 1

    @property
    def nbytes(self) -> int:
        """Bytes of one decoded image."""
        return self.width * self.height * self.samples * self.itemsize

    def check(self, frames: int = 1, most_pixels: int = MOST_PIXELS) -> None:
        """Refuse what takes too much memory.

        Args:
            frames: images that are held together.
            most_pixels: of one image.

        Raises:
            TooLargeError: with what was claimed and what is allowed.
        """
        size = f"{self.width}x{self.height}"
        if self.width < 1 or self.height < 1:
            raise ValueError(f"it claims {size} pixels")
        if self.width * self.height > most_pixels:
            raise TooLargeError(f"{size} pixels are more than {most_pixels}")
        if self.samples > MOST_SAMPLES:
            raise TooLargeError(f"{self.samples} samples a pixel are more than {MOST_SAMPLES}")
        if self.nbytes * frames > MOST_BYTES:
            several = f"{frames} images of " if frames > 1 else ""
            raise TooLargeError(
                f"{several}{size} pixels with {self.samples} samples of {8 * self.itemsize} bits take "
                f"{self.nbytes * frames / 2**30:.1f} GiB, more than {MOST_BYTES / 2**30:.0f}"
            )


def check_count(images: int) -> None:
    """Refuse a file out of which thousands of images would be restored: a few bytes each can say so.

    Raises:
        TooLargeError: more than :data:`MOST_IMAGES`.
    """
    if images > MOST_IMAGES:
        raise TooLargeError(f"it holds more than {MOST_IMAGES} images")
