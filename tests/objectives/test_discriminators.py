"""Discriminators: a logit sees a patch, gradients reach the image, spectral norms bound the layers."""

import pytest
import torch

from vosr.objectives.discriminators import DISCRIMINATORS, PatchDiscriminator, ProjectedDiscriminator


def projected(**options):
    return ProjectedDiscriminator("test_resnet", (0, 1), pretrained=False, width=8, **options)


@pytest.mark.parametrize("build", [lambda: PatchDiscriminator(8, 2), projected], ids=["patch", "projected"])
def test_gives_maps_of_logits_with_gradient_to_the_image(build):
    torch.manual_seed(0)
    model, image = build(), torch.rand(2, 3, 32, 32, requires_grad=True)
    maps = model(image)
    assert all(one.shape[:2] == (2, 1) for one in maps)
    torch.stack([one.sum() for one in maps]).sum().backward()
    assert image.grad.abs().max() > 0
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained
    assert not any(name.startswith("features.") for name in trained)


def test_a_logit_of_the_patch_network_sees_its_patch_alone():
    torch.manual_seed(0)
    model, image = PatchDiscriminator(8, 2).eval(), torch.rand(1, 3, 64, 64)
    changed = image.clone()
    changed[..., 40:, 40:] = 0
    before, after = model(image)[0], model(changed)[0]
    assert torch.equal(before[..., :5, :5], after[..., :5, :5])
    assert (before[..., -1, -1] - after[..., -1, -1]).abs() > 0


def test_layers_have_spectral_norm_one():
    torch.manual_seed(0)
    model = PatchDiscriminator(8, 1)
    for _ in range(50):
        model(torch.rand(1, 3, 16, 16))
    for layer in model.layers:
        if isinstance(layer, torch.nn.Conv2d):
            norm = float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))
            assert norm == pytest.approx(1, abs=2e-2)


def test_registered_names():
    assert DISCRIMINATORS.names() == ["patch", "projected"]


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="width must be positive"):
        PatchDiscriminator(0)
    with pytest.raises(ValueError, match="layers must be 0 to"):
        ProjectedDiscriminator("test_resnet", (99,), pretrained=False)
