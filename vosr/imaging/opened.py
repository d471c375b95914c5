"""Files opened but not decoded: one step looks at the head of any format and says what decoding will take."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import BinaryIO, Protocol

from PIL import Image, ImageSequence, UnidentifiedImageError

from vosr.imaging.decoded import DecodedImage
from vosr.imaging.errors import TooLargeError, UnknownFormatError, UnsupportedError
from vosr.imaging.exif import ORIENTATION, Exif
from vosr.imaging.formats import PILLOW_READS, unsupported
from vosr.imaging.limits import MOST_BYTES, MOST_PIXELS, Header, check_count
from vosr.imaging.metadata import xmp_orientation
from vosr.imaging.pillow_reading import from_pillow, from_png, samples_of
from vosr.imaging.png_reading import SIGNATURE, PngParts, take_apart
from vosr.imaging.profiles import is_srgb, space_of
from vosr.imaging.tiff_reading import MAGIC, TiffPage, opened_tiff, read_page, read_without_pixels

_BYTES = {"I;16": 2, "I": 4, "F": 4}
_LIMIT = Lock()


class Opened(Protocol):
    """An image file whose head was read."""

    @property
    def header(self) -> Header:
        """What decoding the first image takes, and how many there are."""

    def plain(self) -> Image.Image | None:
        """The first image, not decoded yet, where it is nothing but upright RGB of 8 bits in sRGB; else None."""

    def first(self, reduce_to: tuple[int, int] | None = None) -> DecodedImage:
        """Decode the first image. Raises what decoders do.

        Args:
            reduce_to: width and height, as stored, that a JPEG may be reduced to while it is decoded.
        """

    def frames(self) -> Iterator[tuple[DecodedImage, int]]:
        """Decode all images, each with its duration in milliseconds. Raises what decoders do."""

    @property
    def loops(self) -> int:
        """How often the images are played; 0 is for ever."""


@contextmanager
def opened(file: BinaryIO) -> Iterator[Opened]:
    """Open a seekable file of any format.

    Raises:
        UnknownFormatError: not an image.
        UnsupportedError: a known format or kind of colours that is not read.
        TooLargeError: the head claims too much.
        Exception: what decoders raise on damage.
    """
    head = _head(file)
    if head[:4] in MAGIC and head[8:11] != b"CR\x02":
        with opened_tiff(file) as pages:
            yield _Tiff(file, pages)
        return
    data, parts = b"", None
    if head.startswith(SIGNATURE):
        parts = take_apart(_whole(file))
        file = io.BytesIO(parts.image)
    elif head[4:8] == b"ftyp":
        data = _whole(file)
        file = io.BytesIO(data)
    try:
        image = open_with_pillow(file, PILLOW_READS)
    except UnidentifiedImageError as error:
        avif = head[4:11] == b"ftypavi" and "AVIF" in PILLOW_READS
        if parts is not None or avif or head.startswith((b"\xff\xd8", b"RIFF", b"GIF8", b"BM")):
            raise ValueError("its head is damaged") from error
        known = unsupported(head)
        if known is not None:
            raise UnsupportedError(f"it is {known}, which is not supported") from error
        raise UnknownFormatError("it is not an image in a known format") from error
    with image:
        yield _Other(image, data, parts)


class _Tiff:
    """A TIFF: pages that tifffile decodes, but for rare kinds of colours that Pillow does."""

    loops = 0

    def __init__(self, file: BinaryIO, pages: list[TiffPage]) -> None:
        self._file, self._pages = file, pages

    @property
    def header(self) -> Header:
        return replace(self._pages[0].header, frames=len(self._pages))

    def plain(self) -> Image.Image | None:
        return None

    def first(self, reduce_to: tuple[int, int] | None = None) -> DecodedImage:
        return self._decoded(self._pages[0])

    def frames(self) -> Iterator[tuple[DecodedImage, int]]:
        for page in self._pages:
            page.header.check()
        check_count(len(self._pages))
        total = sum(page.header.nbytes for page in self._pages)
        if total > MOST_BYTES:
            raise TooLargeError(f"its {len(self._pages)} images take {total / 2**30:.1f} GiB")
        for page in self._pages:
            yield self._decoded(page), 0

    def _decoded(self, page: TiffPage) -> DecodedImage:
        page.header.check()
        if page.readable:
            return read_page(page, self._file)
        kept = read_without_pixels(page, self._file)
        self._file.seek(0)
        try:
            with open_with_pillow(self._file, ("TIFF",)) as image:
                image.seek(page.index)
                colours, alpha, changed = samples_of(image)
                profile = image.info.get("icc_profile")
        except Exception as error:
            raise UnsupportedError(f"it is a TIFF of {page.colours}, which cannot be read") from error
        return replace(kept, colours=colours, alpha=alpha, profile=profile, notes=(*changed, *kept.notes))


class _Other:
    """A file that Pillow has opened; of a PNG it has seen the image alone."""

    def __init__(self, image: Image.Image, data: bytes, parts: PngParts | None) -> None:
        self._image, self._data, self._parts = image, data, parts

    @property
    def header(self) -> Header:
        image, deep = self._image, self._parts is not None and self._parts.depth == 16
        itemsize = 2 if deep else _BYTES.get(image.mode, 1)
        count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        return Header(*image.size, len(image.getbands()), itemsize, count)

    def plain(self) -> Image.Image | None:
        image, info, parts = self._image, self._image.info, self._parts
        if image.mode != "RGB" or "transparency" in info or image.format == "AVIF":
            return None
        if parts is not None and parts.depth == 16:
            return None
        profile = info.get("icc_profile") if parts is None else parts.profile
        exif = Exif.parse(info.get("exif")) if parts is None else parts.exif
        xmp = info.get("xmp") if parts is None else parts.xmp
        if profile and not (space_of(profile) == "rgb" and is_srgb(profile)):
            return None
        upright = (exif.whole(ORIENTATION) or xmp_orientation(xmp)) == 1
        return image if upright and (profile or not exif.adobe_rgb) else None

    def first(self, reduce_to: tuple[int, int] | None = None) -> DecodedImage:
        self.header.check()
        if self._parts is not None:
            return from_png(self._parts, self._image)
        if reduce_to is not None:
            self._image.draft(None, reduce_to)
        return from_pillow(self._image, self._data)

    def frames(self) -> Iterator[tuple[DecodedImage, int]]:
        """All frames of an animation; those of a PNG have 8 bits."""
        check_count(self.header.frames)
        self.header.check(frames=self.header.frames)
        if self.header.frames == 1:
            yield self.first(), 0
            return
        parts = self._parts and replace(self._parts, depth=8)
        for frame in ImageSequence.Iterator(self._image):
            stored = from_png(parts, frame) if parts else from_pillow(frame, self._data)
            yield stored, round(frame.info.get("duration", 0))

    @property
    def loops(self) -> int:
        return int(self._image.info.get("loop", 1))


def open_with_pillow(file: BinaryIO, formats: tuple[str, ...]) -> Image.Image:
    """Opened by Pillow, whose own limit stops at less than a stitched panorama has."""
    with _LIMIT:
        before, Image.MAX_IMAGE_PIXELS = (
            Image.MAX_IMAGE_PIXELS,
            MOST_PIXELS // 2,
        )  # it refuses above twice of it
        try:
            return Image.open(file, formats=formats)
        except Image.DecompressionBombError as error:
            raise TooLargeError(f"it claims more than {MOST_PIXELS} pixels") from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    return head


def _whole(file: BinaryIO) -> bytes:
    file.seek(0)
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise TooLargeError(f"the file has more than {MOST_BYTES / 2**30:.0f} GiB")
    return data
