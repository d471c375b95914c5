"""The command line as users type it, in processes of their own, on components without files."""

import csv
import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from jobs import CONFIG
from PIL import Image

from data_pipelines import ShardDataModule
from vosr.cli import main
from vosr.core.registry import REGISTRIES

ROOT = Path(__file__).parents[2]
TEACHER = {
    "name": "teacher",
    "model": CONFIG["model"],
    "data": {"class_path": "doubles.ImageData", "init_args": {"count": 16}},
    "trainer": {
        "max_steps": 8,
        "val_check_interval": 4,
        "check_val_every_n_epoch": None,
        "accelerator": "cpu",
        "num_sanity_val_steps": 0,
        "log_every_n_steps": 1,
    },
    "checkpoint": {"every_n_train_steps": 4},
}
STUDENT = {
    **TEACHER,
    "name": "student",
    "model": {
        "class_path": "vosr.training.DistillationModule",
        "init_args": {
            "teacher": "runs/teacher/001",
            "guidance": "restoration",
            "objective": "rcgm",
            "degradation": "doubles.Dim",
            "teacher_steps": 2,
            "trust_remote_code": True,  # the doubles are no registered parts
            "optimizer": {"class_path": "torch.optim.AdamW", "init_args": {"lr": 1e-4}},
        },
    },
}


def command(*arguments, folder, **options):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/helpers'}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def run(*arguments, folder):
    process = command(*arguments, folder=folder)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with configs, and a teacher trained by the command line."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "teacher.yaml").write_text(yaml.safe_dump(TEACHER))
    (folder / "student.yaml").write_text(yaml.safe_dump(STUDENT))
    status, out, err = run("fit", "--config", "teacher.yaml", folder=folder)
    assert status == 0, err
    return folder, out


def test_a_run_folder_holds_everything(project):
    folder, out = project
    run_folder = folder / "runs/teacher/001"
    for part in (
        "config.yaml",
        "versions.json",
        "metrics/version_0/metrics.csv",
        "checkpoints/last.ckpt",
        "model/model.safetensors",
        "model/config.json",
        "images/step_0000008.png",
    ):
        assert (run_folder / part).is_file(), part
    assert "python main.py restore PHOTO" in out
    assert not list(run_folder.rglob("*.tmp"))
    image = Image.open(run_folder / "images/step_0000008.png")
    assert image.width > 3 * 16


def test_the_resolved_config_repeats_the_run(project):
    folder, _ = project
    saved = folder / "runs/teacher/001/config.yaml"
    status, _, err = run("fit", "--config", saved, "--name", "again", folder=folder)
    assert status == 0, err
    metrics = [folder / f"runs/{name}/001/metrics/version_0/metrics.csv" for name in ("teacher", "again")]
    first, second = ([line.split(",")[:2] for line in path.read_text().splitlines()] for path in metrics)
    assert first == second


def test_teacher_to_student_and_validate(project):
    folder, _ = project
    status, _, err = run("fit", "--config", "student.yaml", folder=folder)
    assert status == 0, err
    assert (folder / "runs/student/001/model/config.json").read_text().count('"student"') == 1
    checkpoint = "runs/student/001/checkpoints/last.ckpt"
    for number, (command_name, image) in enumerate(
        [("validate", "step_0000000.png"), ("test", "test.png"), ("predict", "predict.png")], start=2
    ):
        status, out, err = run(
            command_name, "--config", "student.yaml", "--ckpt_path", checkpoint, folder=folder
        )
        assert status == 0, err
        assert ("val/psnr_y" in out) == (command_name != "predict")
        assert (folder / f"runs/student/00{number}/images/{image}").is_file()
        assert "dirpath has changed" not in err


def test_kill_and_continue_gives_the_undisturbed_result(project):
    folder, _ = project
    arguments = ["fit", "--config", "teacher.yaml", "--trainer.max_steps=40", "--data.count=160"]
    process = command(*arguments, "--name=killed", folder=folder)
    deadline = time.monotonic() + 120
    while not list(folder.glob("runs/killed/001/checkpoints/*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    status, _, err = run(*arguments, "--name=killed", "--ckpt_path=last", folder=folder)
    assert status == 0, err
    assert (folder / "runs/killed/001/model/model.safetensors").is_file()
    assert not (folder / "runs/killed/002").exists()
    assert "max_steps" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model.guidance=restoratio"], "Did you mean 'restoration'?"),
        (["--model.guidance.scal=1"], "Did you mean 'scale'?"),
        (["--model.backbone.widht=1"], "Did you mean 'width'?"),
        (["--trainer.max_step=1"], "Did you mean 'max_steps'?"),
        (["--model.sampling.step=1"], "Did you mean 'steps'?"),
        (["--model.backbone.width=30"], "must be a whole multiple of 4"),
        (["--ckpt_path=nowhere.ckpt"], "No checkpoint nowhere.ckpt"),
        (["--name=nothing", "--ckpt_path=last"], "No checkpoint to continue from"),
        (["--model.init_from=nowhere"], "No model 'nowhere'"),
        (["--config=teachers.yaml"], "No config teachers.yaml. Did you mean teacher.yaml?"),
        (["--model.init_from=vosr_small_student"], "vosr_small_student does not fit LightningDiT"),
        (["--data=data_pipelines.ShardDataModule", "--data.train=nowhere"], "No data at 'nowhere'"),
        (["--data=data_pipelines.ShardDataModule", "--data.validation=nowhere"], "set (data.validation)"),
        (["--model.encodr=none"], "Valid here: autoencoder, backbone"),
        (["--trainer.devices=0"], "trainer.devices must be at least 1"),
        (["--trainer.devices=-3"], "trainer.devices must be at least 1"),
        (["--ckpt_path=teacher.yaml"], "teacher.yaml is no whole checkpoint"),
        (["--runs=teacher.yaml"], "teacher.yaml is a file"),
        (["--model.teacher=vosr_small_teacher"], "Unknown key 'teacher'. Valid here: autoencoder"),
    ],
)
def test_mistakes_end_with_one_sentence(project, arguments, message, monkeypatch, capfd):
    folder, _ = project
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--config", "teacher.yaml", *arguments])
    assert stopped.value.code == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert message in errors[0]
    assert sorted(folder.rglob("*")) == before


def test_restore_with_the_trained_teacher(project):
    folder, _ = project
    (folder / "photos/sub").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "sub/b.png"):
        Image.effect_noise((20, 14), 60).convert("RGB").save(folder / "photos" / name)
    (folder / "photos/broken.png").write_bytes(b"not an image")
    options = (
        "--model",
        "runs/teacher/001",
        "--trust_remote_code",
        "--scale",
        "4",
    )  # this model's own scale is 1
    status, out, err = run("restore", "photos", "-o", "out", *options, folder=folder)
    assert status == 1
    assert "error: Cannot read photos/broken.png" in err
    assert "Restored 3 of 4" in " ".join(out.split())
    written = sorted(str(p.relative_to(folder / "out")) for p in (folder / "out").rglob("*") if p.is_file())
    assert written == ["a_jpg.png", "a_png.png", "manifest.jsonl", "sub/b.png"]
    assert Image.open(folder / "out/sub/b.png").size == (80, 56)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["restore", "nowhere.jpg"], "No file or folder nowhere.jpg"),
        (["restore", "empty"], "No images in empty"),
        (["restore", "teacher.yaml", "--model", "no_such_model"], "No model 'no_such_model'"),
        (
            ["restore", "teacher.yaml", "--model", "runs/teacher/001", "--trust_remote_code"],
            "Cannot read teacher.yaml",
        ),
        (["restore", "teacher.yaml", "--scal", "2"], "Did you mean 'scale'?"),
        (
            ["restore", "photo.png", "--scale", "0.5", "--model", "runs/teacher/001", "--trust_remote_code"],
            "scale must be at least 1",
        ),
        (["restor"], "Did you mean 'restore'?"),
    ],
)
def test_restoring_mistakes(project, arguments, message, monkeypatch, capfd):
    folder, _ = project
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    Image.new("RGB", (4, 4)).save(folder / "photo.png")
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    assert message in capfd.readouterr().err
    assert not (folder / "restored").exists()


def test_degrade_writes_a_contact_sheet(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (70, 90, 3), np.uint8)).save(tmp_path / "photo.png")
    options = [
        "--degradation=gaussian_noise",
        "--degradation.sigma=[9,9]",
        "--rows=2",
        "--columns=3",
        "--size=64",
    ]
    sheets = [tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.png"]
    for sheet, seed in zip(sheets, (0, 0, 1)):
        assert (
            main(["degrade", str(tmp_path / "photo.png"), "-o", str(sheet), *options, f"--seed={seed}"]) == 0
        )
    first, again, other = (np.array(Image.open(sheet).convert("RGB")).astype(float) for sheet in sheets)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape[1] == 3 * 64 + 2 * 4
    clean = np.array(Image.open(tmp_path / "photo.png"))[3:67, 13:77]
    assert np.array_equal(first[:64, :64], clean)
    inside = (clean > 40) & (clean < 215)  # no clipping
    assert (first[:64, 68:132] - clean)[inside].std() == pytest.approx(9, rel=0.05)
    assert first[64:90].min() < 128  # the parameters' text


def test_shards_packs_a_folder_that_training_reads(tmp_path, capfd):
    rng = np.random.default_rng(0)
    (tmp_path / "photos/sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{name}.png")
    (tmp_path / "photos/c.png").write_text("not an image")
    assert main(["shards", str(tmp_path / "photos"), "-o", str(tmp_path / "out"), "--processes=1"]) == 0
    assert "not an image" in capfd.readouterr().out
    data = ShardDataModule(train=str(tmp_path / "out"), batch_size=2, crop_size=32, num_workers=0)
    data.prepare_data()
    data.setup("fit")
    assert next(iter(data.train_dataloader())).hq.shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["degrade", "photo.png", "--degradation=gausian_noise"], "Did you mean 'gaussian_noise'?"),
        (
            ["degrade", "photo.png", "--degradation=jpeg", "--degradation.quality=[0,5]"],
            "quality must be 0 <",
        ),
        (["degrade", "photo.png", "--rows=0"], "at least two tiles"),
        (["degrade", "nowhere.png"], "Cannot read nowhere.png"),
        (["degrade", "photo.png", "-o", "sheet.txt"], "sheet.txt must end in one of"),
        (["shards", "nowhere", "-o", "out"], "No data at"),
        (["shards", "photo.png"], "output"),
    ],
)
def test_mistakes_with_data(tmp_path, arguments, message, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64)).save("photo.png")
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    error = capfd.readouterr().err
    assert status == 2
    assert message in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png"]


def test_overview(capfd):
    assert main(["--help"]) == 0
    assert "configs/distill.yaml" in capfd.readouterr().out


def test_components_lists_every_name(capfd):
    assert main(["components"]) == 0
    out = capfd.readouterr().out
    for registry in REGISTRIES.values():
        for name in registry.names():
            assert name in out


def test_two_ranks_log_their_common_speed(project):
    """Times are means over the ranks and images are counted together; rank 0 alone writes and tells the progress."""
    folder, _ = project
    arguments = [
        "fit",
        "--config",
        "teacher.yaml",
        "--name=two",
        "--trainer.devices=2",
        "--trainer.strategy=ddp",
    ]
    status, _, err = run(*arguments, "--data.count=64", folder=folder)
    assert status == 0, err
    assert sorted(re.findall(r"^step (\d)/8  ", err, re.MULTILINE)) == list("12345678")
    (file,) = (folder / "runs/two").rglob("metrics.csv")
    with file.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("speed/images_per_second")]
    assert len(rows) == 8
    for row in rows:
        phases = [float(row[f"time/{p}"]) for p in ("data", "degradation", "encode", "forward", "backward")]
        assert sum(phases) + float(row["time/optimizer"]) == pytest.approx(float(row["time/step"]), rel=1e-4)
        assert float(row["speed/images_per_second"]) * float(row["time/step"]) == pytest.approx(
            2 * 4, rel=1e-4
        )
        assert float(row["gradient_norm"]) > 0
        assert 0.1 < float(row["memory/peak"]) < 3


def test_a_logger_that_is_not_installed_is_one_sentence(project):
    if importlib.util.find_spec("wandb") is not None:
        pytest.skip("Weights & Biases is installed here")
    folder, _ = project
    status, _, err = run("fit", "--config", "teacher.yaml", "--trainer.logger=WandbLogger", folder=folder)
    assert status == 2
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert re.fullmatch(
        r"error: WandbLogger needs a package that is not installed: pip install 'wandb.*'\.", line
    )


def test_loggers_by_config(project):
    folder, _ = project
    loggers = "--trainer.logger+=lightning.pytorch.loggers.CSVLogger", "--trainer.logger.save_dir=mine"
    status, _, err = run("fit", "--config", "teacher.yaml", "--name=logged", *loggers, folder=folder)
    assert status == 0, err
    assert "time/step" in next((folder / "mine").rglob("metrics.csv")).read_text()
