"""An image as read from a file: what the model sees, and what has to be kept beside it."""

from dataclasses import dataclass, field

from numpy.typing import NDArray

from vosr.imaging.metadata import Metadata


@dataclass(frozen=True, eq=False)
class Photo:
    """An image, upright, in sRGB, with what its file held besides.

    Attributes:
        pixels: (H, W, 3) colours in sRGB, uint8 or uint16; grey images have three equal channels. Images of
            another colour profile are uint16 whatever their file, so that converting there and back loses nothing.
        alpha: (H, W) opacity, of the file's depth; None where there is none.
        deep: whether the file has 16 bits a sample.
        grey: whether the file has one channel of colour.
        neutral: whether the file has three that are equal everywhere.
        profile: ICC profile of the file; None stands for sRGB.
        converted: whether ``pixels`` were converted from ``profile``, so that they go back to it when written.
        beyond: (H, W, 3) what conversion to sRGB clipped, in units of the profile's own samples in [0, 1]; None where
            all colours lie within sRGB.
        metadata: what the file says besides its pixels.
        format: Pillow's name of the file's format.
        notes: what was changed in reading, in words.
    """

    pixels: NDArray
    alpha: NDArray | None = None
    deep: bool = False
    grey: bool = False
    neutral: bool = False
    profile: bytes | None = None
    converted: bool = False
    beyond: NDArray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "PNG"
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True, eq=False)
class Animation:
    """The images of one file in their order.

    Attributes:
        frames: at least one.
        durations: how long each is shown, in milliseconds; empty where the file does not say.
        loops: how often it is played; 0 is for ever.
    """

    frames: tuple[Photo, ...]
    durations: tuple[int, ...] = ()
    loops: int = 0
