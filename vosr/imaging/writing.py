"""Restored images into files, whole or not at all."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from vosr.core.files.atomic import write_atomically
from vosr.imaging.formats import Format, format_of
from vosr.imaging.iptc import jpeg_segment, png_text
from vosr.imaging.layout import Layout, Profile, file_rows, layout_of
from vosr.imaging.photo import Animation, Photo
from vosr.imaging.png import write_png
from vosr.imaging.tiff import write_pages, write_tiff

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
    strips = file_rows(photo, rows, layout)
    path.parent.mkdir(parents=True, exist_ok=True)
    if form.name in _STREAMED:
        write_atomically(path, lambda temporary: _STREAMED[form.name](temporary, layout, strips))
    else:
        image = _image(np.concatenate(list(strips)), layout)
        _write_encoded(path, image, form, _options(form, layout, encoding))
    return layout.lost


def write_animation(
    animation: Animation, restored: Sequence[NDArray], path: Path, encoding: Encoding = Encoding()
) -> tuple[str, ...]:
    """Write all images of a file, 8 bits a sample, as :func:`write_photo` writes one.

    Raises:
        ValueError: a format that holds one image only.
        OSError: the file cannot be written.
    """
    form = _format(path)
    sizes = [(pixels.shape[1], pixels.shape[0]) for pixels in restored]
    form.check_frames(set(sizes))
    for size in set(sizes):
        form.check(*size)
    path.parent.mkdir(parents=True, exist_ok=True)
    layouts = [layout_of(frame, size, form, encoding.profile) for frame, size in zip(animation.frames, sizes)]
    if form.name == "tiff":
        pages = [
            (layout, file_rows(frame, [pixels], layout))
            for frame, pixels, layout in zip(animation.frames, restored, layouts, strict=True)
        ]
        write_atomically(path, lambda temporary: write_pages(temporary, pages))
        return layouts[0].lost
    return _write_sequence(animation, restored, path, encoding, layouts[0])


def _write_sequence(
    animation: Animation, restored: Sequence[NDArray], path: Path, encoding: Encoding, first: Layout
) -> tuple[str, ...]:
    """Frames of one size through Pillow, 8 bits a sample, with their times."""
    form = _format(path)
    layout = replace(first, grey=False, deep=False)
    if animation.frames[0].grey:
        layout = replace(layout, profile=None)
    images = [
        _image(np.concatenate(list(file_rows(frame, [pixels], layout))), layout)
        for frame, pixels in zip(animation.frames, restored, strict=True)
    ]
    options = _options(form, layout, encoding) | {"save_all": True, "append_images": images[1:]}
    if animation.durations:
        options |= {"duration": list(animation.durations), "loop": animation.loops}
    _write_encoded(path, images[0], form, options)
    deep = ("images of one file are written with 8 bits a sample",) if first.deep else ()
    return (*deep, *first.lost)


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
    metadata = layout.metadata
    options: dict[str, Any] = {"icc_profile": layout.profile, "exif": metadata.exif, "xmp": metadata.xmp}
    if form.name in ("jpeg", "webp", "avif"):
        options["quality"] = encoding.quality
    if form.name in ("jpeg", "avif"):
        options["subsampling"] = "4:4:4"
    if form.name in ("jpeg", "bmp"):
        options["dpi"] = metadata.resolution
    if form.name == "jpeg":
        options["comment"] = metadata.comment
        options["extra"] = jpeg_segment(metadata.iptc) if metadata.iptc else None
    if form.name == "png":
        options["pnginfo"], options["dpi"] = _png_texts(layout), metadata.resolution
    if form.name == "webp":
        options |= {"lossless": encoding.quality == 100, "exact": True}
    return {key: value for key, value in options.items() if value is not None}


def _png_texts(layout: Layout) -> PngInfo:
    """Texts of an animated PNG, which Pillow writes."""
    info, metadata = PngInfo(), layout.metadata
    if metadata.xmp:
        info.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    for key, value in (*metadata.text, *((png_text(metadata.iptc),) if metadata.iptc else ())):
        info.add_text(key, value)
    return info
