import torch

from vosr.imaging.grid import labelled_grid


def test_grid_places_every_image():
    red, blue = torch.zeros(2, 3, 10, 12), torch.zeros(2, 3, 10, 12)
    red[:, 0], blue[:, 2] = 1, 1
    grid = labelled_grid({"r": red, "b": blue})
    assert grid.getpixel((6, grid.height - 5)) == (255, 0, 0)
    assert grid.getpixel((grid.width - 6, 25)) == (0, 0, 255)
