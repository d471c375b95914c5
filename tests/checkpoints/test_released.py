"""Released checkpoints in and out, on small folders in their layout."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from released_folders import ARGS, VARIANTS, backbone_of, write_frozen_parts, write_model
from safetensors.torch import load_file, save_file

from vosr import Restorer
from vosr.checkpoints import load_model, save_released
from vosr.cli import main
from vosr.core.types import Condition
from vosr.core.weights import MissingWeightsError
from vosr.degradations import GaussianNoise
from vosr.training import DistillationModule, TeacherModule

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A folder as one would download it, and the weights by model."""
    folder = tmp_path_factory.mktemp("ckpts")
    write_frozen_parts(folder)
    return folder, {name: write_model(folder, name)[1] for name in VARIANTS}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_release_opens(released, name):
    folder, weights = released
    model = load_model(folder / name)
    state = model.backbone.state_dict()
    assert state.keys() == weights[name].keys()
    assert all(torch.equal(state[key], weights[name][key]) for key in state)
    one_step = not name.endswith("_ms")
    assert model.card.kind == ("student" if one_step else "teacher")
    assert model.sampling.steps == (1 if one_step else 3)
    assert model.backbone.end_time == name.endswith("_os")
    assert model.card.color_fix == ("wavelet" if name == "VOSR2" else "adain")
    assert (model.guidance.scale, model.guidance.partial_strength) == (-0.5, 0.1)
    assert (model.guidance.partial_strength_range, model.guidance.fidelity_logit) == ((0.05, 0.25), 5.0)
    assert (model.conditioner.encoder.block, model.conditioner.encoder.input_size) == (0, 56)
    assert model.backbone.trained_tokens == 4


@pytest.mark.parametrize("name", VARIANTS)
def test_every_release_restores(released, name, tmp_path):
    photo = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").resize((24, 16)).save(photo)
    arguments = ["restore", str(photo), "-o", str(tmp_path / "out.png"), "--model", str(released[0] / name)]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert Image.open(tmp_path / "out.png").size == (96, 64)


def test_one_update_of_the_newest_release(released):
    """VOSR 2.0: z - v(z, 1), no end time, whatever the guidance says."""
    model = load_model(released[0] / "VOSR2")
    lq = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    condition = model.conditioner.condition(lq)
    with torch.no_grad():
        latent = noise - model.backbone.velocity(noise, torch.ones(1), condition)
    torch.testing.assert_close(model.restore(lq, noise), model.conditioner.decode(latent))
    with pytest.raises(ValueError, match="steps=1"):
        Restorer(model)(Image.new("RGB", (16, 16)), steps=2)


@pytest.mark.parametrize("place", ["checkpoints", "clean_weights", "."])
def test_weights_are_found_in_every_place_and_cleaned(tmp_path, released, place):
    folder, state = write_model(tmp_path, "VOSR_0.5B_ms", place)
    wrapped = {f"module._orig_mod.{key}": value for key, value in state.items()}
    wrapped |= {"feat_rope.freqs_cos": torch.zeros(4), "n_averaged": torch.ones(())}
    save_file(wrapped, folder / place / "ema_model.safetensors")
    model = load_model(folder, frozen_parts=released[0])
    assert all(torch.equal(value, state[key]) for key, value in model.backbone.state_dict().items())


def test_weights_must_fit(tmp_path, released):
    folder, state = write_model(tmp_path, "VOSR_0.5B_ms")
    save_file(state | {"extra": torch.zeros(1)}, folder / "checkpoints/ema_model.safetensors")
    with pytest.raises(ValueError, match="extra is unexpected"):
        load_model(folder, frozen_parts=released[0])
    (folder / "checkpoints/ema_model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="no weights: expected checkpoints"):
        load_model(folder, frozen_parts=released[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_rope": False}, "use_rope must be True, not False"),
        ({"ae_type": "flux"}, "ae_type must be sd2 or qwen, not flux"),
        ({"enc_type": "clip"}, "enc_type must be dinov2b or dinov2l or dinov2g"),
        ({"layer_dinov2b_list": [2, 5]}, "one layer, not .2, 5."),
        ({"num_experts": 4}, "unknown keys num_experts"),
        ({"dim": None}, "dim missing"),
        ({"cond_strength_aelq_list": [5, 2]}, "cond_strength_aelq_list must be 1"),
    ],
)
def test_keys_are_refused_by_name(tmp_path, released, changes, message):
    folder, _ = write_model(tmp_path, "VOSR_0.5B_ms")
    (folder / "args.json").write_text(json.dumps(ARGS | VARIANTS["VOSR_0.5B_ms"] | changes))
    with pytest.raises(ValueError, match=message):
        load_model(folder, frozen_parts=released[0])


def test_one_message_lists_everything_missing(tmp_path, no_network):
    folder, _ = write_model(tmp_path, "VOSR_0.5B_os")
    parts = (
        "VOSR_0.5B_os needs what is not on this machine (HF_HUB_OFFLINE is set)",
        "model.safetensors of https://huggingface.co/timm/vit_base_patch14_dinov2.lvd142m",
        f"put at {no_network}/stable-diffusion-2-1-base/vae/diffusion_pytorch_model.safetensors",
        "sd21_lwdecoder.pth",
    )
    own = (
        "CSWRY/VOSR",
        f"put at {no_network}/VOSR_0.5B_os/checkpoints/ema_model.safetensors",
        f"put at {no_network}/VOSR_0.5B_os/args.json",
    )
    with pytest.raises(MissingWeightsError) as error:
        load_model(folder)
    assert all(part in str(error.value) for part in parts)
    for name in ("CSWRY/VOSR/VOSR_0.5B_os", "VOSR_0.5B_os"):
        with pytest.raises(MissingWeightsError) as error:
            load_model(name)
        assert all(part in str(error.value) for part in (*parts, *own))


@pytest.mark.parametrize("name", VARIANTS)
def test_export_in_the_released_layout_round_trips_to_the_bit(released, name, tmp_path):
    folder, weights = released
    assert main(["export", "--model", str(folder / name), "-o", str(tmp_path / "a"), "--layout", "vosr",
                 "--frozen_parts", str(folder)]) == 0  # fmt: skip
    written = load_file(tmp_path / "a/checkpoints/ema_model.safetensors")
    assert written.keys() - weights[name].keys() == {"feat_rope.freqs_cos", "feat_rope.freqs_sin"}
    assert all(torch.equal(written[key], value) for key, value in weights[name].items())
    assert written["feat_rope.freqs_cos"].shape == (16, 16)
    again = load_model(tmp_path / "a", dtype=None, frozen_parts=folder)
    save_released(again, tmp_path / "b")
    for file in ("args.json", "checkpoints/ema_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    args = json.loads((tmp_path / "a/args.json").read_text())
    given = ARGS | VARIANTS[name]
    assert {key: args[key] for key in args.keys() & given.keys() - {"distill_type"}} == {
        key: given[key] for key in args.keys() & given.keys() - {"distill_type"}
    }
    assert f"# {'a'}" in (tmp_path / "a/README.md").read_text()


def test_other_models_do_not_fit_the_released_layout(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["export", "--model", "vosr_small_student", "-o", str(tmp_path / "x"), "--layout", "vosr"])
    message = capsys.readouterr().err
    assert "The released layout has no word for autoencoder PixelShuffleAutoencoder" in message
    assert not (tmp_path / "x").exists()


def test_export_in_our_layout(tmp_path):
    assert main(["export", "--model", "vosr_small_student", "-o", str(tmp_path / "x")]) == 0
    original, copy = load_model("vosr_small_student"), load_model(tmp_path / "x")
    assert all(torch.equal(a, b) for a, b in zip(original.backbone.parameters(), copy.backbone.parameters()))
    assert "one step" in (tmp_path / "x/README.md").read_text()


def test_distilling_a_release_starts_as_its_teacher(released):
    folder, _ = released
    teacher = load_model(folder / "VOSR_0.5B_ms")
    module = DistillationModule(
        folder / "VOSR_0.5B_ms", teacher.guidance, objective=None, degradation=GaussianNoise()
    )
    module.configure_model()
    generator = torch.Generator().manual_seed(0)
    condition = Condition(
        torch.randn(2, 4, 8, 8, generator=generator), torch.randn(2, 16, 768, generator=generator)
    )
    z, t = torch.randn(2, 4, 8, 8, generator=generator), torch.tensor([0.3, 0.9])
    expected = teacher.backbone.velocity(z, t, condition)
    torch.testing.assert_close(module.backbone.velocity(z, t, condition, t), expected, rtol=0, atol=0)
    assert not torch.allclose(module.backbone.velocity(z, t, condition, t - 0.2), expected)


def test_finetuning_starts_from_a_release(released):
    folder, weights = released
    loaded = load_model(folder / "VOSR_1.4B_ms")
    module = TeacherModule(
        loaded.conditioner.autoencoder,
        loaded.conditioner.encoder,
        lambda channels, dim: backbone_of(ARGS | VARIANTS["VOSR_1.4B_ms"]),
        loaded.guidance,
        objective=None,
        degradation=GaussianNoise(),
        training_size=64,
        init_from=folder / "VOSR_1.4B_ms",
    )
    module.configure_model()
    state = module.backbone.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights["VOSR_1.4B_ms"].items())


def test_a_released_student_is_finetuned(released):
    folder, weights = released
    module = DistillationModule(
        folder / "VOSR_0.5B_ms",
        load_model(folder / "VOSR_0.5B_ms").guidance,
        objective=None,
        degradation=GaussianNoise(),
        init_from=folder / "VOSR_0.5B_os",
    )
    module.configure_model()
    state = module.backbone.state_dict()
    assert all(torch.equal(state[key], value) for key, value in weights["VOSR_0.5B_os"].items())


MEASURE = """
import re, sys
from pathlib import Path
import torch
from vosr.checkpoints.released import load_backbone, read_args
folder = Path(sys.argv[1])
args = read_args(folder / "args.json")
torch.zeros(1)
def peak():  # not ru_maxrss, which a process inherits from the one that started it
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text()).group(1))
before = peak()
model = load_backbone(folder, args, torch.bfloat16)
total = sum(float(p.float().sum()) for p in model.parameters())  # touches every weight
print((peak() - before) * 1024, sum(p.numel() for p in model.parameters()))
"""


@pytest.mark.slow
def test_loading_the_real_size_takes_little_more_memory_than_its_weights(tmp_path):
    args = ARGS | VARIANTS["VOSR_0.5B_ms"]
    args |= {"dim": 1024, "depth": 28, "num_heads": 16, "resolution": 512, "layer_dinov2b_list": [8]}
    with torch.device("meta"):
        shapes = backbone_of(args).state_dict()
    (tmp_path / "checkpoints").mkdir()
    noise = torch.randn(6144 * 1024).to(torch.bfloat16)
    state = {key: noise[: value.numel()].view(value.shape).clone() for key, value in shapes.items()}
    save_file(state, tmp_path / "checkpoints/ema_model.safetensors")
    (tmp_path / "args.json").write_text(json.dumps(args))
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    peak, parameters = map(int, result.stdout.split())
    assert parameters == 485_623_616
    assert 0.9 < peak / (2 * parameters) <= 1.2


def test_a_release_is_distilled_exported_and_used_through_the_command_line(released, tmp_path, monkeypatch):
    folder, _ = released
    monkeypatch.chdir(tmp_path)
    options = ["--trainer.max_steps=2", "--trainer.accelerator=cpu", "--trainer.precision=32"]
    data = ["--data=doubles.ImageData", "--data.count=8", "--data.size=64"]
    teacher = [
        "--model.teacher",
        str(folder / "VOSR_0.5B_ms"),
        "--model.teacher_steps=2",
        "--model.degradation=doubles.Dim",
    ]
    config = str(ROOT / "configs/vosr_0.5b/distill.yaml")
    assert main(["fit", "--config", config, *options, *data, *teacher, "--trainer.val_check_interval=2"]) == 0
    run = "runs/vosr_0.5b_distill/001"
    assert main(["export", "--model", run, "-o", "VOSR_0.5B_os", "--layout", "vosr"]) == 0
    trained, exported = load_model(run), load_model("VOSR_0.5B_os", frozen_parts=folder)
    assert exported.card.kind == "student"
    pairs = zip(trained.backbone.state_dict().values(), exported.backbone.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    Image.linear_gradient("L").convert("RGB").resize((24, 16)).save("photo.png")
    arguments = [
        "restore",
        "photo.png",
        "-o",
        "out.png",
        "--model",
        "VOSR_0.5B_os",
        "--frozen_parts",
        str(folder),
    ]
    assert main([*arguments, "--device", "cpu"]) == 0
    assert Image.open("out.png").size == (96, 64)


def test_finetuning_a_release_through_the_command_line(released, tmp_path, monkeypatch):
    folder, weights = released
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOSR_WEIGHTS", str(folder))
    small = {"width": ARGS["dim"], "depth": ARGS["depth"], "heads": ARGS["num_heads"], "latent_grid": 8}
    arguments = [
        *["fit", "--config", str(ROOT / "configs/vosr_0.5b/teacher.yaml"), "--trainer.max_steps=1"],
        *[
            "--trainer.accelerator=cpu",
            "--trainer.precision=32",
            "--data=doubles.ImageData",
            "--data.count=8",
        ],
        *["--data.size=64", "--model.degradation=doubles.Dim", "--model.sampling.steps=2"],
        *["--model.encoder.block=0", "--model.encoder.input_size=56", "--model.ema_decay=0"],
        *[f"--model.backbone.{name}={value}" for name, value in small.items()],
        *["--model.optimizer.lr=0", "--model.init_from", str(folder / "VOSR_0.5B_ms"), "--name=tuned"],
    ]
    assert main(arguments) == 0
    state = load_model("runs/tuned/001").backbone.state_dict()
    for key, value in weights["VOSR_0.5B_ms"].items():
        torch.testing.assert_close(state[key], value, rtol=0, atol=1e-6)
