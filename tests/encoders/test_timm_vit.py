import re

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import eva, vision_transformer
from torch.nn import functional as F

from vosr.core.weights import MissingWeightsError
from vosr.encoders import CLIP, ENCODERS, DINOv2, DINOv3, SigLIP2
from vosr.encoders.dinov2 import dinov2_positions
from vosr.encoders.resize import resize_square

TINY = {"embed_dim": 48, "depth": 3, "num_heads": 3}
FAMILIES = {
    "dinov2": (DINOv2, {"input_size": 56}),
    "dinov2_registers": (DINOv2, {"input_size": 56, "registers": True}),
    "dinov3": (DINOv3, {"input_size": 64}),
    "siglip2": (SigLIP2, {"input_size": 64}),
    "clip": (CLIP, {"input_size": 64}),
}
families = pytest.mark.parametrize("family", FAMILIES)


def build(family, **arguments):
    cls, options = FAMILIES[family]
    return cls(**options | {"pretrained": False, "overrides": TINY} | arguments)


def scramble(module):
    """Every parameter away from the zeros and ones that initialisation leaves."""
    generator = torch.Generator().manual_seed(1)
    for p in module.parameters():
        p.data = torch.randn(p.shape, generator=generator) * 0.1
    return module


def whole(family, input_size=None):
    """timm's own complete model of the family, scrambled."""
    cls, options = FAMILIES[family]
    spec = cls.spec("b", True) if family == "dinov2_registers" else cls.spec("b")
    size = input_size or options["input_size"]
    return scramble(timm.create_model(spec.model, num_classes=0, img_size=size, **TINY)).eval()


def saved(state, path):
    save_file({name: value.contiguous() for name, value in state.items()}, path)
    return str(path)


@pytest.mark.golden
def test_golden_dinov2_tiny(golden, golden_error, tmp_path):
    file = golden("dinov2_tiny")
    config = file.meta["config"]
    overrides = {key: config[key] for key in ("embed_dim", "depth", "num_heads")}
    path = saved(file.weights, tmp_path / "dinov2.safetensors")
    last = config["depth"] - 1
    for block, final_norm in [(i, False) for i in range(config["depth"])] + [(last, True)]:
        model = DINOv2(
            input_size=config["run_at"],
            block=block,
            final_norm=final_norm,
            weights=path,
            overrides=overrides,
        )
        key = "x_norm" if final_norm else f"tokens_block{block}"
        assert golden_error("dinov2_tiny", key, model.tokens(file["x"])) <= 2e-5, key


def test_positions_are_resampled_by_the_scale_factor():
    positions = torch.randn(1, 25, 6, generator=torch.Generator().manual_seed(0))
    plane = positions.view(1, 5, 5, 6).permute(0, 3, 1, 2)
    ours = dinov2_positions(positions, 4)
    by_factor = F.interpolate(plane, scale_factor=(4.1 / 5, 4.1 / 5), mode="bicubic")
    by_size = F.interpolate(plane, size=(4, 4), mode="bicubic")
    assert torch.equal(ours, by_factor.permute(0, 2, 3, 1).reshape(1, 16, 6))
    assert (ours - by_size.permute(0, 2, 3, 1).reshape(1, 16, 6)).abs().max() > 0.01
    assert dinov2_positions(positions, 5) is positions


@families
@pytest.mark.parametrize("block", [0, 2])
def test_tokens_of_a_file_are_timms(family, block, tmp_path, relative_error):
    reference = whole(family)
    model = build(
        family,
        block=block,
        pretrained=True,
        weights=saved(reference.state_dict(), tmp_path / "w.safetensors"),
    )
    x = torch.randn(2, 3, model.input_size, model.input_size)
    with torch.no_grad():
        expected = reference.forward_intermediates(x, [block], output_fmt="NLC", intermediates_only=True)[0]
    assert model.tokens(x).shape == (2, model.grid**2, 48)
    assert relative_error(model.tokens(x), expected) <= 1e-6


@pytest.mark.parametrize("family", ["dinov2_registers", "siglip2", "clip"])
def test_other_grid_is_resampled_as_timm_does(family, tmp_path, relative_error):
    trained = whole(family, 112 if "dinov2" in family else 128)
    state = trained.state_dict()
    model = build(family, block=2, pretrained=True, weights=saved(state, tmp_path / "w.safetensors"))
    reference = whole(family)
    reference.load_state_dict(vision_transformer.checkpoint_filter_fn(state, reference))
    x = torch.randn(1, 3, model.input_size, model.input_size)
    with torch.no_grad():
        expected = reference.forward_intermediates(x, [2], output_fmt="NLC", intermediates_only=True)[0]
    assert relative_error(model.tokens(x), expected) <= 1e-6


def test_dinov2_with_registers_in_its_own_names(tmp_path, relative_error):
    timms = whole("dinov2_registers", 112).state_dict()
    position = torch.randn(1, 1, 48)
    own = {k: v for k, v in timms.items() if k not in ("reg_token", "pos_embed", "cls_token")}
    own["register_tokens"] = timms["reg_token"]
    own["pos_embed"] = torch.cat([position, timms["pos_embed"]], dim=1)
    own["cls_token"] = timms["cls_token"] - position
    own["mask_token"] = torch.zeros(1, 48)
    torch.save(own, tmp_path / "own.pth")
    given = {"pretrained": True, "block": 2}
    a = build("dinov2_registers", weights=saved(timms, tmp_path / "timm.safetensors"), **given)
    b = build("dinov2_registers", weights=str(tmp_path / "own.pth"), **given)
    x = torch.randn(1, 3, 56, 56)
    assert relative_error(a.tokens(x), b.tokens(x)) <= 1e-5


def test_giant_dinov2_in_its_own_names(tmp_path):
    given = {"size": "g", "input_size": 28, "block": 1, "overrides": TINY | {"depth": 2}}
    model = scramble(DINOv2(pretrained=False, **given))
    state = {
        re.sub(r"mlp\.fc2\.", "mlp.w3.", re.sub(r"mlp\.fc1\.", "mlp.w12.", name)): value
        for name, value in model.vit.state_dict().items()
    }
    assert any(".w12." in name for name in state)
    loaded = DINOv2(weights=saved(state, tmp_path / "g.safetensors"), **given)
    x = torch.rand(1, 3, 28, 28)
    assert torch.equal(loaded(x), model(x))


@pytest.mark.parametrize("size", ["b", "h"])
def test_dinov3_in_its_own_names(size, tmp_path):
    overrides = TINY | {"num_heads": 2} if size == "b" else TINY | {"num_heads": 2, "embed_dim": 64}
    given = {"size": size, "input_size": 64, "block": 2, "overrides": overrides}
    model = scramble(DINOv3(pretrained=False, **given))
    names = {
        "reg_token": "storage_tokens",
        "gamma_1": "ls1.gamma",
        "gamma_2": "ls2.gamma",
        "mlp.fc1_g": "mlp.w1",
        "mlp.fc1_x": "mlp.w2",
    } | ({"mlp.fc2": "mlp.w3"} if size == "h" else {})
    own = {}
    for name, value in model.vit.state_dict().items():
        for timms, metas in names.items():
            name = name.replace(timms, metas)
        own[name] = value
    own |= {
        "rope_embed.periods": torch.ones(4),
        "mask_token": torch.zeros(1, 48),
        "blocks.0.attn.qkv.bias": torch.zeros(144),
        "blocks.0.attn.qkv.bias_mask": torch.ones(144),
    }
    x = torch.rand(2, 3, 64, 64)
    loaded = DINOv3(weights=saved(own, tmp_path / "own.safetensors"), **given)
    assert torch.equal(loaded(x), model(x))
    own["blocks.0.attn.qkv.bias"] = torch.ones(144)
    with pytest.raises(ValueError, match="attention biases"):
        DINOv3(weights=saved(own, tmp_path / "biased.safetensors"), **given)


def test_dinov3_names_agree_with_timms_own_conversion():
    reference = whole("dinov3")
    own = {
        k.replace("reg_token", "storage_tokens").replace("gamma_", "ls").replace("ls1", "ls1.gamma"): v
        for k, v in reference.state_dict().items()
    }
    own = {re.sub(r"ls2$", "ls2.gamma", k): v for k, v in own.items()}
    from vosr.encoders.dinov3 import from_dinov3

    theirs = eva.checkpoint_filter_fn(dict(own), reference)
    ours = from_dinov3(own, 4)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


@families
def test_frozen_and_deterministic(family):
    model = build(family)
    assert not any(p.requires_grad for p in model.parameters())
    model.train()
    assert not any(module.training for module in model.modules())
    image = torch.rand(2, 3, 40, 70, requires_grad=True)
    tokens = model(image)
    assert not tokens.requires_grad
    assert torch.equal(tokens, build(family)(image)), "random weights are the same in each process"
    torch.testing.assert_close(tokens[:1], model(image[:1]))


@families
def test_input_is_resized_clipped_and_normalised(family):
    model, image = build(family), torch.rand(1, 3, 40, 70)
    size = (model.input_size,) * 2
    x = F.interpolate(image, size, mode="bicubic", antialias=False).clamp(0, 1)
    assert torch.equal(model(image), model.tokens((x - model.mean) / model.std))


def test_normalisation_constants():
    assert build("dinov2").mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert build("dinov2").std.flatten().tolist() == pytest.approx([0.229, 0.224, 0.225])
    assert build("siglip2").std.flatten().tolist() == [0.5, 0.5, 0.5]
    assert build("clip").mean.flatten().tolist() == pytest.approx([0.48145466, 0.4578275, 0.40821073])


def test_native_size_is_only_clipped():
    image = torch.rand(1, 3, 28, 28) * 2 - 0.5
    assert torch.equal(resize_square(image, 28), image.clamp(0, 1))


@pytest.mark.parametrize(
    ("name", "size", "width", "block", "tokens"),
    [
        ("dinov2", "s", 384, 8, 1024),
        ("dinov2", "b", 768, 8, 1024),
        ("dinov2", "l", 1024, 17, 1024),
        ("dinov2", "g", 1536, 29, 1024),
        ("dinov3", "s", 384, 8, 1024),
        ("dinov3", "b", 768, 8, 1024),
        ("dinov3", "l", 1024, 17, 1024),
        ("dinov3", "h", 1280, 23, 1024),
        ("siglip2", "b", 768, 8, 1024),
        ("siglip2", "l", 1024, 17, 1024),
        ("siglip2", "so400m", 1152, 19, 1024),
        ("clip", "b", 768, 8, 784),
        ("clip", "l", 1024, 17, 1024),
    ],
)
def test_real_sizes_on_the_meta_device(name, size, width, block, tokens):
    with torch.device("meta"):
        model = ENCODERS.build(name, size=size)
    assert (model.dim, model.block, model.grid**2) == (width, block, tokens)
    assert all(p.is_meta for p in model.parameters())
    assert len(model.vit.blocks) == block + 1


def test_missing_weights_say_what_to_get_and_where(no_network):
    with pytest.raises(MissingWeightsError) as error:
        DINOv2(size="l")
    message = str(error.value)
    assert "timm/vit_large_patch14_dinov2.lvd142m" in message
    assert "model.safetensors" in message
    assert str(no_network / "vit_large_patch14_dinov2.lvd142m") in message


def test_weights_are_found_in_the_folder_of_weights(no_network):
    path = no_network / "torch_cache/checkpoints/dinov2_vitb14_pretrain.pth"
    path.parent.mkdir(parents=True)
    reference = whole("dinov2")
    torch.save(reference.state_dict(), path)
    model = build("dinov2", pretrained=True)
    torch.testing.assert_close(model.vit.cls_token, reference.cls_token)


def test_bad_arguments_and_files(tmp_path):
    with pytest.raises(ValueError, match="block must be 0 to 2"):
        build("dinov2", block=3)
    with pytest.raises(ValueError, match="multiple of the patch size 14"):
        build("dinov2", input_size=60)
    with pytest.raises(ValueError, match=r"overrides.*'deep'"):
        build("dinov2", overrides={"deep": 3})
    state = whole("dinov2").state_dict()
    del state["cls_token"]
    state["surprise"] = torch.zeros(1)
    path = saved(state, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="cls_token is missing; surprise is unexpected"):
        build("dinov2", pretrained=True, weights=path)
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        build("dinov2", pretrained=True, weights=str(tmp_path / "broken.safetensors"))
