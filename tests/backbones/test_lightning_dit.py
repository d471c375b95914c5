import pytest
import torch

from vosr.backbones import LightningDiT
from vosr.backbones.rope import rescaled_angles, rotary_angles

TOLERANCE = 1e-5


def small(**overrides):
    options = {"width": 32, "depth": 2, "heads": 2, "latent_grid": 8} | overrides
    torch.manual_seed(0)
    model = LightningDiT(latent_channels=4, semantic_dim=6, **options)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.1)
    return model


@pytest.mark.golden
@pytest.mark.parametrize("name", ["backbone_teacher", "backbone_student"])
@torch.no_grad()
def test_golden_backbone(golden, golden_backbone, golden_error, name):
    file, model = golden(name), golden_backbone(name)
    r = file["r"] if model.end_time else None
    cases = {"out": (file["x"], file["z"], r), "out_other": (file["x_other"], file["z"], r)}
    if model.end_time:
        cases["out_r_equals_t"] = (file["x"], file["z"], file["t"])
    else:
        cases["out_zero_semantics"] = (file["x"], torch.zeros_like(file["z"]), r)
    for key, (x, z, end) in cases.items():
        assert golden_error(name, key, model(x, file["t"], z, end)) <= TOLERANCE, key


@torch.no_grad()
def test_student_equals_teacher_at_r_equal_t():
    student = small(end_time=True)
    teacher = small()
    teacher.load_state_dict({k: v for k, v in student.state_dict().items() if not k.startswith("r_embedder")})
    x, t, z = torch.randn(2, 8, 8, 8), torch.rand(2), torch.randn(2, 3, 6)
    assert torch.equal(student(x, t, z, t), teacher(x, t, z))
    assert torch.equal(student(x, t, z), teacher(x, t, z))
    assert not torch.allclose(student(x, t, z, t / 2), teacher(x, t, z))


@pytest.mark.parametrize("rotary", ["rescaled", "absolute"])
@torch.no_grad()
def test_any_rectangle_and_batch_independence(rotary):
    model = small(rotary=rotary)
    x, t, z = torch.randn(3, 8, 6, 14), torch.rand(3), torch.randn(3, 5, 6)
    out = model(x, t, z)
    assert out.shape == (3, 4, 6, 14)
    single = torch.cat([model(x[i : i + 1], t[i : i + 1], z[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(out, single, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_transposed_image_needs_transposed_positions():
    """Rows and columns are told apart, so transposing the image alone changes the result."""
    model = small()
    x, t, z = torch.randn(1, 8, 8, 8), torch.rand(1), torch.randn(1, 3, 6)
    assert not torch.allclose(model(x.mT, t, z).mT, model(x, t, z), atol=1e-3)


def test_rotary_keeps_length_and_depends_on_distance_only():
    angles = rotary_angles(5, 7, 16, 10_000.0, torch.device("cpu")).double()
    turn = torch.polar(torch.ones_like(angles), angles)
    q, k = torch.randn(8, dtype=torch.complex128), torch.randn(8, dtype=torch.complex128)
    turned_q, turned_k = (torch.view_as_real(each * turn).flatten(1) for each in (q, k))
    torch.testing.assert_close(turned_q.norm(dim=-1), q.norm().expand(35))
    scores = turned_q @ turned_k.T
    torch.testing.assert_close(
        scores[0, 8], scores[9, 17], atol=1e-5, rtol=0
    )  # both one row and one column on


def test_rescaled_positions_agree_with_absolute_at_the_trained_size():
    device = torch.device("cpu")
    assert torch.equal(
        rescaled_angles(6, 6, 6, 8, 10_000.0, device), rotary_angles(6, 6, 8, 10_000.0, device)
    )
    wide = rescaled_angles(6, 12, 6, 8, 10_000.0, device).view(6, 12, 4)
    square = rotary_angles(6, 6, 8, 10_000.0, device).view(6, 6, 4)
    torch.testing.assert_close(wide[:, ::2], square)


@torch.no_grad()
def test_identical_semantic_tokens_give_the_same_as_one():
    """With zero semantics all keys are equal, so cross-attention is a constant: the count must not matter."""
    model = small()
    x, t = torch.randn(2, 8, 8, 8), torch.rand(2)
    many, one = torch.zeros(2, 9, 6), torch.zeros(2, 1, 6)
    torch.testing.assert_close(model(x, t, many), model(x, t, one), atol=1e-5, rtol=1e-5)


def test_fresh_model_predicts_zero_and_gets_gradients_everywhere_after_a_step():
    torch.manual_seed(0)
    model = LightningDiT(4, 6, width=32, depth=2, heads=2, latent_grid=8, end_time=True)
    x, t, z = torch.randn(2, 8, 8, 8), torch.rand(2), torch.randn(2, 3, 6)
    assert torch.equal(model(x, t, z, t / 2), torch.zeros(2, 4, 8, 8))
    for p in model.final_layer.parameters():
        torch.nn.init.normal_(p, std=0.1)
    model(x, t, z, t / 2).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_no_graph_breaks():
    model = small(end_time=True)
    x, t, z = torch.randn(2, 8, 8, 8), torch.rand(2), torch.randn(2, 3, 6)
    explained = torch._dynamo.explain(model)(x, t, z, t / 2)
    assert explained.graph_break_count == 0, explained.break_reasons


def test_meta_device_then_reset_equals_a_normal_start():
    with torch.device("meta"):
        model = LightningDiT(4, 6, width=32, depth=1, heads=2, latent_grid=8)
    torch.manual_seed(3)
    model.to_empty(device="cpu").reset_parameters()
    torch.manual_seed(3)
    assert model.t_block[1].weight.std() < 0.03
    assert torch.equal(model.final_layer.linear.weight, torch.zeros_like(model.final_layer.linear.weight))
    assert torch.equal(model.blocks[0].norm1.weight, torch.ones(32))
    assert all(torch.isfinite(p).all() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "teacher", "student"),
    [
        ({"width": 1024, "depth": 28, "heads": 16, "channels": 4, "z": 768}, 485_623_616, 486_936_384),
        ({"width": 1536, "depth": 36, "heads": 24, "channels": 16, "z": 1024}, 1_393_943_616, 1_396_699_200),
    ],
)
def test_parameter_counts_of_the_released_models(options, teacher, student):
    sizes = {k: options[k] for k in ("width", "depth", "heads")}
    for end_time, expected in ((False, teacher), (True, student)):
        with torch.device("meta"):
            model = LightningDiT(options["channels"], options["z"], **sizes, end_time=end_time)
        assert sum(p.numel() for p in model.parameters()) == expected


def test_state_dict_names_and_shapes_are_the_released_ones():
    import re

    from golden_files import GOLDEN

    text = (GOLDEN / "keys.md").read_text()
    expected = {
        name: tuple(int(n) for n in shape.split(",") if n.strip())
        for name, shape in re.findall(r"^(\S+) \(([\d, ]+)\)$", text, flags=re.M)
        if not name.startswith("feat_rope.")
    }
    with torch.device("meta"):
        model = LightningDiT(4, 768, depth=1, end_time=True)
    assert {k: tuple(v.shape) for k, v in model.state_dict().items()} == expected


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of 4"):
        LightningDiT(4, 6, width=30, heads=4)
    with pytest.raises(ValueError, match="padded to multiples of 2"):
        small()(torch.randn(1, 8, 7, 8), torch.rand(1), torch.randn(1, 3, 6))
    with pytest.raises(ValueError, match="no end time"):
        small()(torch.randn(1, 8, 8, 8), torch.rand(1), torch.randn(1, 3, 6), torch.rand(1))
