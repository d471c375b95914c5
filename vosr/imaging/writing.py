"""Restored images into files, whole or not at all."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vosr.atomic import write_atomically
from vosr.imaging.finishing import Layout, Profile, finished, layout_of, losses
from vosr.imaging.formats import Format, format_of
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.png import write_png
from vosr.imaging.tiff import write_tiff

_STREAMED = {"png": write_png, "tiff": write_tiff}


@dataclass(frozen=True)
class Encoding:
    """How files are written.

    Args:
        profile: "input" writes in the colour profile of the input, "srgb" in sRGB.
        quality: 1 to 100, of JPEG, WebP and AVIF; WebP is lossless at 100.
    """

    profile: Profile = "input"
    quality: int = 95

    def check(self) -> None:
        """Refuse what no file can be written with.

        Raises:
            ValueError: quality out of range.
        """
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must lie in 1..100, not {self.quality}.")


def write_photo(
    photo: Photo, rows: Iterable[NDArray], size: tuple[int, int], path: Path, encoding: Encoding = Encoding()
) -> tuple[str, ...]:
    """Write a restored image under a temporary name, then rename it.

    PNG and TIFF are written as the strips come; other formats gather them first.

    Args:
        photo: what was read.
        rows: strips (rows, W, 3) of the restored ``photo.pixels``, sRGB, uint8 or uint16, from top to bottom.
        size: width and height of the restored image.
        path: its suffix chooses the format.
        encoding: profile and quality.

    Returns:
        What the format could not hold, in words.

    Raises:
        ValueError: no such format, or one that cannot hold so large an image.
        OSError: the file cannot be written.
    """
    form = _format(path)
    form.check(*size)
    layout = layout_of(photo, size, form, encoding.profile)
    strips = finished(photo, rows, layout)
    path.parent.mkdir(parents=True, exist_ok=True)
    if form.name in _STREAMED:
        write_atomically(path, lambda temporary: _STREAMED[form.name](temporary, layout, strips))
    else:
        image = _image(np.concatenate(list(strips)), layout)
        options = _options(form, layout, encoding)
        _write_encoded(path, image, form, options)
    return losses(photo, form)


def write_animation(
    animation: Animation, restored: Sequence[NDArray], path: Path, encoding: Encoding = Encoding()
) -> tuple[str, ...]:
    """Write all images of a file, 8 bits a sample, as :func:`write_photo` writes one.

    Raises:
        ValueError: a format that holds one image only.
        OSError: the file cannot be written.
    """
    form, first = _format(path), animation.frames[0]
    if not form.frames:
        raise ValueError(
            f"{form.pillow} holds one image only; choose png, webp, avif or tiff for all frames."
        )
    height, width = restored[0].shape[:2]
    form.check(width, height)
    layout = layout_of(first, (width, height), form, encoding.profile)
    layout = Layout(width, height, alpha=layout.alpha, profile=layout.profile, exif=layout.exif)
    images = [
        _image(np.concatenate(list(finished(frame, [pixels], layout))), layout)
        for frame, pixels in zip(animation.frames, restored, strict=True)
    ]
    options = _options(form, layout, encoding) | {"save_all": True, "append_images": images[1:]}
    if animation.durations and form.name != "tiff":
        options |= {"duration": list(animation.durations), "loop": animation.loops}
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_encoded(path, images[0], form, options)
    deep = ("images of one file are written with 8 bits a sample",) if first.deep else ()
    return (*deep, *losses(first, form))


def write_image(image: Image.Image, path: Path) -> None:
    """Write a sheet or a grid of ours, in the format of ``path``'s suffix, whole or not at all.

    Raises:
        ValueError: no such format.
        OSError: the file cannot be written.
    """
    write_photo(Photo(np.asarray(image.convert("RGB"))), [np.asarray(image.convert("RGB"))], image.size, path)


def _format(path: Path) -> Format:
    form = format_of(path)
    if form is None:
        raise ValueError(f"{path} must end in .png, .jpg, .webp, .tif, .bmp or .avif.")
    return form


def _image(samples: NDArray, layout: Layout) -> Image.Image:
    return Image.fromarray(samples[..., 0] if layout.channels == 1 else samples)


def _write_encoded(path: Path, image: Image.Image, form: Format, options: dict[str, Any]) -> None:
    """Encoded in memory first: Pillow's own writing does not tell why it failed (a full disk, for one)."""
    encoded = io.BytesIO()
    image.save(encoded, form.pillow, **options)
    write_atomically(path, lambda temporary: temporary.write_bytes(encoded.getbuffer()))


def _options(form: Format, layout: Layout, encoding: Encoding) -> dict[str, Any]:
    options: dict[str, Any] = {"icc_profile": layout.profile, "exif": layout.exif}
    if form.name in ("jpeg", "webp", "avif"):
        options["quality"] = encoding.quality
    if form.name in ("jpeg", "avif"):
        options["subsampling"] = "4:4:4"
    if form.name == "webp":
        options |= {"lossless": encoding.quality == 100, "exact": True}
    return {key: value for key, value in options.items() if value is not None}
