"""``plan`` as users type it."""

import re
from pathlib import Path

import pytest
import yaml

from vosr.cli import main
from vosr.cli.plan import PlanCLI
from vosr.cli.plan_job import job_of

CONFIGS = Path(__file__).parents[2] / "configs"
TEACHER, DISTILL = str(CONFIGS / "teacher.yaml"), str(CONFIGS / "distill.yaml")


def planned(capfd, *arguments):
    assert main(["plan", *arguments]) == 0
    return capfd.readouterr().out


def number(text, name):
    return float(re.search(rf"^{re.escape(name)} +([\d.,]+)", text, re.MULTILINE).group(1).replace(",", ""))


def job(*arguments):
    cli = PlanCLI(["fit", *arguments])
    return job_of(cli.config.fit, cli.model.card.training_size)


def test_the_embedded_default_fits_anywhere(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = planned(capfd, "--config", TEACHER, "--device=rtx4090", "--utilisation=0.5")
    assert number(out, "backbone") == 2_823_608
    assert number(out, "weights") == pytest.approx(4 * 2_823_608 / 2**30, abs=5e-4)
    assert number(out, "optimizer") == pytest.approx(8 * 2_823_608 / 2**30, abs=1e-3)
    assert "fits: 24 GiB of rtx4090" in out
    total = re.findall(r"^all +([\d.]+)", out, re.MULTILINE)
    assert number(out, "computation") == pytest.approx(
        float(total[0]) * 1e12 / (165.2e12 * 0.5), rel=0.2, abs=1e-4
    )
    assert list(tmp_path.iterdir()) == []


def test_overrides_and_overlays_are_read_as_fit_does(capfd):
    plain = planned(capfd, "--config", TEACHER)
    wide = planned(capfd, "--config", TEACHER, "--model.backbone.widths=[96, 192]", "--data.batch_size=4")
    assert number(wide, "backbone") > 1.8 * number(plain, "backbone")
    assert number(wide, "student") == pytest.approx(number(plain, "student"), rel=0.15)
    overlay = str(CONFIGS / "cluster/fsdp.yaml")
    sharded = planned(capfd, "--config", TEACHER, "--config", overlay, "--nodes=2", "--devices=4")
    assert "FSDP2 over 2 x 4 ranks, activation checkpointing on h100" in sharded
    assert "all-gather" in sharded
    assert "reduce-scatter" in sharded


def test_a_distillation_counts_its_teacher(capfd):
    out = planned(capfd, "--config", DISTILL)
    assert number(out, "teacher") == 2_823_608
    assert number(out, "backbone") == 2_873_016


def test_a_teacher_that_does_not_exist_yet_is_described_by_its_config(capfd, tmp_path):
    for name, change in (("teacher", {}), ("distill", {"teacher": "runs/nowhere/001"})):
        config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
        config["model"]["init_args"] |= change
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
    beside = planned(capfd, "--config", str(tmp_path / "distill.yaml"))
    assert number(beside, "teacher") == 2_823_608
    (tmp_path / "teacher.yaml").rename(tmp_path / "other.yaml")
    named = planned(
        capfd, "--config", str(tmp_path / "distill.yaml"), f"--teacher_config={tmp_path}/other.yaml"
    )
    assert named == beside
    with pytest.raises(SystemExit):
        main(["plan", "--config", str(tmp_path / "distill.yaml")])
    assert "No teacher at runs/nowhere/001, and no config of one at" in capfd.readouterr().err


def test_it_tells_what_to_change(capfd):
    options = ["--model.backbone=lightning_dit", "--model.backbone.width=2048", "--data.batch_size=16"]
    options += ["--model.backbone.heads=32", "--model.backbone.depth=28", "--model.backbone.latent_grid=16"]
    out = planned(capfd, "--config", TEACHER, *options, "--device=rtx4090", "--trainer.precision=32-true")
    assert "does not fit: 24 GiB of rtx4090 less 8%" in out
    assert "To change  --model.parallel.activation_checkpointing=true: " in out
    assert re.search(r"as it is, it fits .*h100", out)


def test_jobs():
    assert job("--config", TEACHER).strategy == "single"
    ddp = job("--config", TEACHER, "--config", str(CONFIGS / "cluster/ddp_multinode.yaml"))
    assert (ddp.strategy, ddp.nodes, ddp.devices, ddp.global_batch) == ("ddp", 8, 8, 512)
    assert job("--config", TEACHER, "--devices=2").strategy == "ddp"
    fsdp = job(
        *("--config", TEACHER, "--config", str(CONFIGS / "cluster/fsdp_multinode.yaml")),
        *("--model.parallel.gather=bfloat16", "--trainer.accumulate_grad_batches=3", "--trainer.max_steps=7"),
    )
    assert (fsdp.strategy, fsdp.half_gather, fsdp.accumulate, fsdp.max_steps) == ("fsdp", True, 3, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nodes=-1"], "nodes must be at least 1, not -1"),
        (["--devices=0"], "devices must be at least 1, not 0"),
        (["--device=h10"], "Unknown device 'h10'. Known: a100-40"),
        (["--utilisation=2"], "utilisation must be in (0, 1], not 2.0"),
        (["--trainer.max_steps=-1"], "give trainer.max_steps"),
        (["--trainer.devices=-1"], "give by --devices"),
        (["--trainer.strategy=deepspeed"], "Cannot plan trainer.strategy deepspeed"),
        (["--trainer.precision=64-true"], "Cannot plan trainer.precision"),
        (["--data=doubles.ImageData"], "A plan needs data.crop_size"),
        (["--model.guidance=restoratio"], "Did you mean 'restoration'?"),
    ],
)
def test_mistakes(arguments, message, capfd):
    with pytest.raises(SystemExit) as stopped:
        main(["plan", "--config", TEACHER, *arguments])
    assert stopped.value.code == 2
    assert message in capfd.readouterr().err
