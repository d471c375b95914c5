import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from vosr.core.weights import MissingWeightsError
from vosr.encoders import ENCODERS
from vosr.encoders.timm_model import TimmEncoder

SMALL = {"mobilenetv3_small_050": {"input_size": 64}, "vit_tiny_patch16_224": {"input_size": 64}}
models = pytest.mark.parametrize("name", SMALL)


def trained(name):
    """timm's whole model with values that no initialisation leaves, classifier included."""
    model = timm.create_model(name).eval()
    generator = torch.Generator().manual_seed(1)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.2 + 0.01)
    return model


def saved(model, path):
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)
    return str(path)


@models
@pytest.mark.parametrize("block", [None, 1])
def test_tokens_of_a_file_are_timms_features(name, block, tmp_path, relative_error):
    whole = trained(name)
    ours = ENCODERS.build(
        "timm", model=name, block=block, weights=saved(whole, tmp_path / "w.safetensors"), **SMALL[name]
    )
    own_size = timm.create_model(
        name, features_only=True, out_indices=[ours.block], **({"img_size": 64} if "vit" in name else {})
    ).eval()
    features = own_size.model if "vit" in name else own_size
    state = whole.state_dict()
    if "vit" in name:
        state = timm.models.vision_transformer.checkpoint_filter_fn(state, features)
    else:
        state = {
            key.replace("blocks.", "blocks_") if key not in features.state_dict() else key: value
            for key, value in state.items()
        }
    state = {key: value for key, value in state.items() if key in features.state_dict()}
    features.load_state_dict(state)
    image = torch.rand(2, 3, 64, 64)
    mean, std = (
        torch.tensor(timm.get_pretrained_cfg(name).mean),
        torch.tensor(timm.get_pretrained_cfg(name).std),
    )
    with torch.no_grad():
        expected = own_size((image - mean.view(3, 1, 1)) / std.view(3, 1, 1))[0]
    assert expected.shape[1] == ours.dim
    assert relative_error(ours(image), expected.flatten(2).transpose(1, 2)) <= 1e-5


def test_default_block_and_own_size():
    cnn, vit = (
        TimmEncoder(name, pretrained=False) for name in ("mobilenetv3_large_100", "vit_tiny_patch16_224")
    )
    assert (cnn.block, cnn.dim, cnn.input_size) == (3, 112, 224)
    assert (vit.block, vit.dim, vit.input_size) == (8, 192, 224)
    assert vit.mean.flatten().tolist() == [0.5, 0.5, 0.5]  # not ImageNet's: this family's own
    assert cnn.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])


@models
def test_any_size_is_resized_and_random_weights_are_fixed(name):
    model = TimmEncoder(name, pretrained=False, **SMALL[name])
    image = torch.rand(1, 3, 50, 90, requires_grad=True)
    tokens = model(image)
    small = F.interpolate(image, (64, 64), mode="bicubic", antialias=True)
    assert torch.equal(tokens, model(small))
    assert tokens.shape == (1, 16, model.dim)
    assert not tokens.requires_grad
    assert not any(
        p.requires_grad or module.training for module in model.modules() for p in module.parameters()
    )
    assert torch.equal(tokens, TimmEncoder(name, pretrained=False, **SMALL[name])(image))


@pytest.mark.parametrize(
    "name", ["resnet_18", "hf-hub:stranger/model", "local-dir:/tmp", "resnet18.stranger", "../resnet18"]
)
def test_only_names_that_timm_lists(name):
    with pytest.raises(ValueError, match=r"timm.list_models\(\) does not list"):
        TimmEncoder(name, pretrained=False)


def test_weights_must_fit(tmp_path, no_network):
    other = saved(trained("mobilenetv3_small_050"), tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="timm cannot build resnet18"):
        TimmEncoder("resnet18", weights=other)
    with pytest.raises(MissingWeightsError, match=r"timm/resnet18\..*model.safetensors"):
        TimmEncoder("resnet18")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"block": 9}, "block must be 0 to 4"), ({"input_size": 8}, "input_size must be at least 16")],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        TimmEncoder("mobilenetv3_small_050", pretrained=False, **arguments)
