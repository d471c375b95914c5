"""Work of one process on one image: decode, measure, filter, cut and encode."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from data_pipelines.decode import decode
from data_pipelines.failures import ImageError, Reason
from data_pipelines.shards.inputs import Input
from data_pipelines.shards.measure import entropy, gradient_energy, grey_values, perceptual_hash
from data_pipelines.shards.options import ImageEncoding, Options
from data_pipelines.sources.fields import AmbiguousError, Fields, is_image
from vosr.core.files.shown import reason


@dataclass(frozen=True)
class Product:
    """An image that may be packed, or the reason why not.

    Attributes:
        suffix: what is appended to the input's key: empty, or the place of a tile.
        dropped: reason; empty where it may be packed.
        detail: figure behind the reason.
        kind: file type.
        encoded: new bytes; None packs the input's own members as they are.
        checksum: of the bytes to be packed.
        fingerprint: perceptual hash.
        pixels: width times height.
    """

    suffix: str = ""
    dropped: str = ""
    detail: str = ""
    kind: str = ""
    encoded: bytes | None = None
    checksum: str = ""
    fingerprint: int = 0
    pixels: int = 0


def examine(one: Input, options: Options) -> list[Product]:
    """Everything that one input gives; never raises for bad data."""
    if one.problem:
        return [Product(dropped=one.problem)]
    try:
        members = one.load()
        kind, _ = Fields(options.hq).pick(members)
        if sum(map(is_image, members)) > 1 and (options.tile or options.encode):
            return [Product(dropped="several_images", detail="--tile and --encode take samples of one")]
        encoded = members[kind]
        image = decode(encoded)
    except AmbiguousError as error:
        return [Product(dropped="several_images", detail=str(error))]
    except ImageError as error:
        return [Product(dropped=error.reason.value, detail=str(error))]
    except OSError as error:
        return [Product(dropped="unreadable_file", detail=str(error))]
    except Exception as error:  # one image must not end the rest
        return [Product(dropped=Reason.DAMAGED.value, detail=reason(error))]
    height, width, _ = image.shape
    if min(height, width) < options.min_side:
        return [Product(dropped="below_min_side", detail=f"{width}x{height}")]
    return [
        _judged(suffix, part, kind, encoded if part is image else None, options)
        for suffix, part in _tiles(image, options.tile)
    ]


def _tiles(image: NDArray[np.uint8], tile: int | None) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Whole tiles of a grid in the middle of the image; an image of less than two tiles stays as it is."""
    height, width, _ = image.shape
    if tile is None or height < tile or width < tile or height * width < 2 * tile * tile:
        yield "", image
        return
    top, left = (height % tile) // 2, (width % tile) // 2
    for y in range(top, height - tile + 1, tile):
        for x in range(left, width - tile + 1, tile):
            yield f"-x{x}-y{y}", np.ascontiguousarray(image[y : y + tile, x : x + tile])


def _judged(
    suffix: str, image: NDArray[np.uint8], kind: str, original: bytes | None, options: Options
) -> Product:
    grey = grey_values(image)
    if options.min_gradient > 0 and (energy := gradient_energy(grey)) < options.min_gradient:
        return Product(suffix, "below_min_gradient", f"{energy:.2f}")
    if options.min_entropy > 0 and (bits := entropy(grey)) < options.min_entropy:
        return Product(suffix, "below_min_entropy", f"{bits:.2f}")
    encoded = None
    if original is None or options.encode is not None:
        kind = options.encode or "webp"
        encoded = encode_image(image, kind)
    return Product(
        suffix=suffix,
        kind=kind,
        encoded=encoded,
        checksum=hashlib.sha256(encoded or original or b"").hexdigest(),
        fingerprint=perceptual_hash(grey) if options.near_duplicates is not None else 0,
        pixels=image.shape[0] * image.shape[1],
    )


def encode_image(image: NDArray[np.uint8], kind: ImageEncoding) -> bytes:
    """Lossless PNG or WebP, or JPEG of quality 95 without chroma subsampling."""
    settings: dict[ImageEncoding, dict[str, int | bool]] = {
        "png": {"compress_level": 3},
        "webp": {"lossless": True, "method": 0, "quality": 20},
        "jpeg": {"quality": 95, "subsampling": 0},
    }
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind.upper(), **settings[kind])
    return buffer.getvalue()
