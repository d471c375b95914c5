"""An ablation trains what is missing and compares all; commands are recorded instead of run."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from vosr.cli import ablate

CONFIGS = Path(__file__).parents[2] / "configs" / "ablation"
GRID = """
fit: [--config, t.yaml]
variants: {a: [--x, "1"], b: [--model.teacher, "{a}"]}
compare: ["{a},label=a", "{b},guidance_scale=0.5"]
data: [builtin]
metrics: [psnr_y]
"""


@pytest.fixture
def calls(monkeypatch):
    made = []
    fails = set()

    def run(command, check):
        arguments = command[len(ablate.COMMAND) :]
        made.append(arguments)
        if arguments[0] == "fit":
            Path(arguments[arguments.index("--runs") + 1], arguments[arguments.index("--name") + 1]).mkdir(
                parents=True, exist_ok=True
            )
        return SimpleNamespace(returncode=int(len(made) in fails))

    monkeypatch.setattr(ablate.subprocess, "run", run)
    return SimpleNamespace(made=made, fails=fails)


def options(tmp_path, text=GRID):
    (tmp_path / "grid.yaml").write_text(text)
    return SimpleNamespace(config=tmp_path / "grid.yaml", output=tmp_path / "out", dry_run=False)


def test_goes_on_after_an_interruption(tmp_path, calls):
    calls.fails.add(2)
    with pytest.raises(ValueError, match="fit ended with status 1; the same command goes on"):
        ablate.run(options(tmp_path))
    assert ablate.run(options(tmp_path)) == 0
    runs = str(tmp_path / "out" / "runs")
    names = [call[call.index("--name") + 1] for call in calls.made if call[0] == "fit"]
    assert names == ["a", "b", "b"]
    assert calls.made[1][:5] == ["fit", "--config", "t.yaml", "--model.teacher", f"{runs}/a/001"]
    assert calls.made[1][-2:] == ["--ckpt_path", "auto"]
    assert calls.made[-1][:4] == [
        "evaluate",
        "--model",
        f"{runs}/a/001,label=a",
        f"{runs}/b/001,guidance_scale=0.5",
    ]
    assert calls.made[-1][-2:] == ["-o", str(tmp_path / "out" / "report")]


def test_a_changed_grid_is_not_taken_for_the_trained_one(tmp_path, calls):
    assert ablate.run(options(tmp_path)) == 0
    with pytest.raises(
        ValueError, match=r"out/runs/b was trained with other arguments than .*grid\.yaml has now"
    ):
        ablate.run(options(tmp_path, GRID.replace("--model.teacher", "--model.init_from")))
    more = options(tmp_path, GRID.replace("metrics: [psnr_y]", "metrics: [psnr_y, niqe]"))
    assert ablate.run(more) == 0  # what is compared may change
    assert [call[0] for call in calls.made] == ["fit", "fit", "evaluate", "evaluate"]


def test_bad_grids_are_told(tmp_path):
    with pytest.raises(ValueError, match="uses the variant 'c' before it is defined"):
        ablate.run(options(tmp_path, GRID.replace("{a}", "{c}", 1)))
    with pytest.raises(ValueError, match="is no grid of an ablation"):
        ablate.run(options(tmp_path, "fit: 1"))
    with pytest.raises(ValueError, match=r"is no grid of an ablation.*positional"):
        ablate.run(options(tmp_path, GRID.replace("{a}", "{}", 1)))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_grids_are_read(path):
    assert len(ablate.read_grid(path).variants) >= 2
