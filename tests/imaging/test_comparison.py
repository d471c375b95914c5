"""What is shown of an image: the right places, the right pixels, whatever the strips."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from vosr.imaging.comparison import CROPS, LONGEST, SIDE, BeforeAfter
from vosr.imaging.photo import Photo
from vosr.imaging.side_by_side import side_by_side

RNG = np.random.default_rng(0)


def compared(photo, pixels, rows=33):
    comparison = BeforeAfter(photo, (pixels.shape[1], pixels.shape[0]))
    strips = (pixels[top : top + rows] for top in range(0, len(pixels), rows))
    assert np.array_equal(np.concatenate(list(comparison.watch(strips))), pixels)
    return comparison.result()


def enlarged(photo, size):
    return np.asarray(Image.fromarray(photo.pixels).resize(size, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("rows", [1, 80, 97, 1000])
def test_crops_lie_where_the_images_differ_most(rows):
    photo = Photo(RNG.integers(60, 190, (150, 200, 3), dtype=np.uint8))
    before = enlarged(photo, (800, 600))
    after = before.copy()
    for strength, (left, top) in ((60, (500, 330)), (50, (100, 90)), (40, (650, 500)), (5, (300, 500))):
        after[top : top + 40, left : left + 40] += np.uint8(strength)
    result = compared(photo, after, rows)
    assert len(result.crops) == CROPS
    for crop, (left, top) in zip(result.crops, ((500, 330), (100, 90), (650, 500))):
        assert crop.left - SIDE < left < crop.left + SIDE
        assert crop.top - SIDE < top < crop.top + SIDE
        box = slice(crop.top, crop.top + SIDE), slice(crop.left, crop.left + SIDE)
        assert np.array_equal(crop.after, after[box])
        assert np.abs(crop.before.astype(int) - before[box]).max() <= 1
    assert np.array_equal(result.after, after)
    assert np.abs(result.before.astype(int) - before).max() <= 1


def test_previews_of_large_images_are_averages():
    width, height = 2 * LONGEST + 2, 301
    pixels = RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)
    result = compared(Photo(pixels), pixels)
    assert result.after.shape == (height // 3, width // 3, 3)
    expected = (
        pixels[: height // 3 * 3, : width // 3 * 3].reshape(height // 3, 3, width // 3, 3, 3).mean((1, 3))
    )
    assert np.abs(result.after - expected).max() <= 0.5
    assert np.array_equal(result.before, result.after)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (300, 5), (79, 81), (81, 160)])
def test_any_shape(shape):
    pixels = RNG.integers(0, 256, (*shape, 3), dtype=np.uint8)
    result = compared(Photo(pixels), pixels, rows=7)
    assert np.array_equal(result.after, pixels)
    assert result.crops
    assert side_by_side(result).width > 0


def test_16_bits_grey_and_transparency():
    pixels = np.full((20, 20, 3), 40_000, np.uint16)
    alpha = np.full((20, 20), 65535, np.uint16)
    alpha[:, 10:] = 0
    result = compared(Photo(pixels, alpha, deep=True), np.full((20, 20, 3), 30_000, np.uint16))
    assert result.before[5, 3].tolist() == [156] * 3
    assert result.after[5, 3].tolist() == [117] * 3
    assert result.before[5, 18].tolist() == result.after[5, 18].tolist() == [255] * 3
    coloured = np.broadcast_to(np.array([200, 100, 0], np.uint8), (20, 20, 3))
    grey = compared(Photo(np.zeros((20, 20, 3), np.uint8), grey=True), coloured)
    assert grey.after[0, 0].tolist() == [118] * 3


def test_memory_does_not_grow_with_the_image():
    strip = np.full((40, 2000, 3), 90, np.uint8)
    photo = Photo(np.full((4, 20, 3), 80, np.uint8))

    def peak(strips):
        tracemalloc.start()
        comparison = BeforeAfter(photo, (2000, 40 * strips))
        for _ in comparison.watch(strip for _ in range(strips)):
            pass
        comparison.result()
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    assert peak(400) < 1.5 * peak(50)


def test_the_image_shows_both_and_marks_the_crops():
    photo = Photo(np.full((50, 90, 3), 60, np.uint8))
    after = np.full((200, 360, 3), 60, np.uint8)
    after[80:160, 80:160] = 200
    sheet = np.asarray(side_by_side(compared(photo, after)))
    left, right = np.hsplit(sheet[: sheet.shape[0] // 2], [sheet.shape[1] // 2])
    assert (right == 200).all(-1).sum() > 20_000  # 80 x 80 pixels, shown at 2 : 1
    assert (left == 200).all(-1).sum() == 0
    mark = (sheet == (255, 196, 0)).all(-1)
    assert mark[:, : sheet.shape[1] // 2].any()
    assert mark[:, sheet.shape[1] // 2 :].any()
