"""Names that a file system takes, whatever is appended to them."""

import os

import numpy as np
import pytest

from vosr.core.files.atomic import write_atomically
from vosr.imaging.names import fitting
from vosr.imaging.photo import Photo
from vosr.imaging.writing import write_photo


def test_short_names_stay_and_long_ones_are_kept_apart():
    assert fitting("a.png", 12) == "a.png"
    assert fitting("a" * 251 + ".png") == "a" * 251 + ".png"
    one, other = fitting("a" * 252 + ".png"), fitting("a" * 253 + ".png")
    assert one != other
    assert one == fitting("a" * 252 + ".png")
    for name in (one, other, fitting("ü" * 200 + ".jpg", 12)):
        assert len(os.fsencode(name)) <= 255
        assert name.endswith((".png", ".jpg"))
    fitting("\U0001f600" * 70 + ".png").encode()  # no character is cut in two


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "ü" * 125 + ".png", "\U0001f600" * 62 + ".png"])
def test_files_of_the_longest_names_are_written(tmp_path, name):
    pixels = np.zeros((2, 2, 3), np.uint8)
    write_photo(Photo(pixels), [pixels], (2, 2), tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    write_atomically(tmp_path / name, lambda path: path.write_text("x"))
    assert (tmp_path / name).read_text() == "x"
