import pytest
import torch

from vosr.autoencoders import PixelShuffleAutoencoder


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_is_lossless(factor):
    x = torch.rand(2, 3, 16, 24) * 2 - 1
    model = PixelShuffleAutoencoder(factor)
    latent = model.encode(x)
    assert latent.shape == (2, model.latent_channels, 16 // factor, 24 // factor)
    torch.testing.assert_close(model.decode(latent), x, atol=1e-6, rtol=0)


def test_every_cell_is_moved_and_standardised_alone():
    model = PixelShuffleAutoencoder(2)
    x = torch.zeros(1, 3, 4, 4)
    x[0, 1, 2, 3] = 1.0  # green, row 2, column 3: cell (1, 1), position (0, 1)
    moved = (model.encode(x) - model.encode(torch.zeros_like(x))).nonzero()
    assert moved.tolist() == [[0, 4 + 1, 1, 1]]
    change = (model.encode(x) - model.encode(torch.zeros_like(x))).max()
    torch.testing.assert_close(change, 1 / model.std[4, 0, 0])


def test_stays_in_float32_under_autocast():
    x = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert PixelShuffleAutoencoder(4).encode(x).dtype == torch.float32


def test_refuses_no_factor():
    with pytest.raises(ValueError, match="at least 1"):
        PixelShuffleAutoencoder(0)
