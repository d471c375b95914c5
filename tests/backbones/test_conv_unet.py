"""The convolutional backbone: sizes, time, semantics, and that a tile gives what the image gives."""

import pytest
import torch

from vosr.backbones import ConvUNet
from vosr.core.types import Condition


def trained(**options):
    """A small network whose zero-initialised layers were given weights."""
    torch.manual_seed(0)
    model = ConvUNet(3, 5, **({"widths": (8, 16), "blocks": (2, 2), "end_time": True} | options))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def inputs(height=8, width=12, batch=2):
    generator = torch.Generator().manual_seed(1)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    return draw(batch, 6, height, width), torch.rand(batch, generator=generator), draw(batch, 4, 5)


def test_at_pure_noise_a_fresh_network_gives_the_lq_latent():
    model, (x, _, semantics) = ConvUNet(3, 5, (8, 16), (2, 2)), inputs()
    lq, noise = x.chunk(2, dim=1)
    velocity = model.velocity(noise, torch.ones(2), Condition(lq, semantics))
    torch.testing.assert_close(noise - velocity, lq, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("widths", "blocks"), [((8,), (3,)), ((8, 16), (3, 2)), ((4, 8, 12), (2, 3, 1))])
def test_levels_have_the_blocks_that_were_asked_for(widths, blocks):
    model, multiple = trained(widths=widths, blocks=blocks), 2 ** (len(widths) - 1)
    assert len(model.blocks) == sum(blocks)
    assert model.patch_size == multiple
    x, t, semantics = inputs(2 * multiple, 3 * multiple)
    assert model(x, t, semantics, t / 2).shape == (2, 3, 2 * multiple, 3 * multiple)


def test_every_input_has_an_effect_and_the_end_time_has_none_at_the_start():
    model, (x, t, semantics) = trained(), inputs()
    base = model(x, t, semantics, t / 2)
    for other in (
        model(x, t / 2, semantics, t / 2),
        model(x, t, 2 * semantics.flip(-1), t / 2),
        model(x, t, semantics, t),
    ):
        assert (other - base).abs().max() > 1e-3
    without = trained(end_time=False)
    without.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("r_embedder.")})
    torch.testing.assert_close(model(x, t, semantics, t), without(x, t, semantics))


def test_zero_semantics_are_the_same_everywhere():
    """The partial condition: shifting the input shifts the output, so nothing depends on the place."""
    model, (x, t, semantics) = trained(), inputs(24, 24)
    out = model(x, t, torch.zeros_like(semantics))
    shifted = model(x.roll(4, dims=3), t, torch.zeros_like(semantics))
    torch.testing.assert_close(shifted[..., 13:15], out[..., 9:11], atol=1e-4, rtol=1e-4)


def test_a_batch_gives_what_single_images_give():
    model, (x, t, semantics) = trained(), inputs()
    singles = [model(x[i : i + 1], t[i : i + 1], semantics[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(model(x, t, semantics), torch.cat(singles), atol=1e-5, rtol=1e-5)


def test_bfloat16_is_near_float32():
    model, (x, t, semantics) = trained(), inputs()
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x, t, semantics)
    exact = model(x, t, semantics)
    assert (half.float() - exact).square().mean().sqrt() < 0.03 * exact.std()


def test_what_does_not_fit_is_refused():
    model, (x, t, semantics) = trained(end_time=False), inputs()
    with pytest.raises(ValueError, match="multiples of 2"):
        model(x[..., :7], t, semantics)
    with pytest.raises(ValueError, match="end_time=True"):
        model(x, t, semantics, t)
    with pytest.raises(ValueError, match="square grid, not 3"):
        model(x, t, semantics[:, :3])
    with pytest.raises(ValueError, match="one positive number a level"):
        ConvUNet(3, 5, (8, 16), (2,))
