import io

import pytest
import torch
from PIL import Image, ImageCms

from vosr.imaging.files import find_photos, read_photo, write_photo
from vosr.imaging.grid import labelled_grid


def test_photographs_come_upright_and_keep_profile_and_exif(tmp_path):
    source, target = tmp_path / "a.jpg", tmp_path / "b.png"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "camera"  # turned by a quarter; maker
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (30, 20), "red").save(source, exif=exif, icc_profile=profile)
    photo = read_photo(source)
    assert photo.image.size == (20, 30)
    write_photo(photo.image, target, photo.extras)
    written = Image.open(target)
    assert written.info["icc_profile"] == profile
    assert written.getexif().get(0x010F) == "camera"
    assert 0x0112 not in written.getexif()


@pytest.mark.parametrize("content", [b"", b"text, not a picture", None], ids=["empty", "text", "truncated"])
def test_damaged_files_are_named(tmp_path, content):
    path = tmp_path / "bad.jpg"
    if content is None:
        buffer = io.BytesIO()
        Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
        content = buffer.getvalue()[:600]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read .*bad\.jpg"):
        read_photo(path)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def broken(self, *args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", broken)
    with pytest.raises(OSError, match="disk full"):
        write_photo(Image.new("RGB", (2, 2)), tmp_path / "a.png", {})
    assert list(tmp_path.iterdir()) == []


def test_finding(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("b.png", "sub/a.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    assert [p.name for p in find_photos(tmp_path)] == ["b.png", "a.JPG"]
    with pytest.raises(ValueError, match="No file or folder"):
        find_photos(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="No pictures"):
        find_photos(tmp_path / "empty")


def test_grid_places_every_picture():
    red, blue = torch.zeros(2, 3, 10, 12), torch.zeros(2, 3, 10, 12)
    red[:, 0], blue[:, 2] = 1, 1
    grid = labelled_grid({"r": red, "b": blue})
    assert grid.getpixel((6, grid.height - 5)) == (255, 0, 0)
    assert grid.getpixel((grid.width - 6, 25)) == (0, 0, 255)
