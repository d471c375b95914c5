"""What README, CONTRIBUTING and docs show is run, or at least parsed: commands, Python, YAML, doctests."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from training_configs import CONFIGS, parse

from vosr import Restorer
from vosr.cli.main import OTHERS, PLAN, TRAINING, main
from vosr.cli.plan import PlanCLI
from vosr.cli.precompute import PrecomputeCLI
from vosr.cli.training import TrainingCLI

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_HERE = {
    "my_package": "stands for the reader's own package",
    "vosr-plugin-example": "the example is installed and tested on its own",
    "=mine": "stands for the reader's own component",
    " mine": "stands for the reader's own component",
    " NAME": "stands for any name",
    " FILE": "stands for the reader's own file",
    "fit \u2026": "stands for the reader's own command",
    "gradio_client": "needs the page of `python main.py demo`, which tests/cli/test_demo.py serves",
    "colour_layout": "the example is installed and tested on its own",
    "runs/distill/001": "needs a run; tests/checkpoints/test_published.py saves and pushes one",
    "torch.rand(64, 3, 32, 32)": "tests/contract/test_contributing.py trains on it",
}
"""Parts of blocks that are not run, and why."""
QUICK = ("degrade photo.jpg", "restore photo.jpg -o restored", "components", "models")
"""Beginnings of commands that are run as they stand."""
DOCTESTS = [path for path in ROOT.glob("vosr/**/*.py") if ">>> " in path.read_text()]
DOCTESTS += [path for path in ROOT.glob("data_pipelines/**/*.py") if ">>> " in path.read_text()]


def skip_what_is_not_here(text):
    for part, reason in NOT_HERE.items():
        if part in text:
            pytest.skip(reason)


def blocks(*languages):
    """(page:line, text) of every block in one of the languages."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M):
            if found[1] in languages:
                yield f"{page.name}:{text.count(chr(10), 0, found.start()) + 1}", found[2]


def commands():
    """Arguments of every call of main.py: in blocks, and with their arguments in running text between backticks."""
    inline = [
        text for page in PAGES for text in re.findall(r"`(python main\.py \w+ [^`]+)`", page.read_text())
    ]
    seen = set()
    for text in [*(text for _, text in blocks("bash", "")), *inline]:
        for line in text.replace("\\\n", " ").replace("; do", "\n").splitlines():
            called, found, rest = line.partition("main.py ")
            if found and "#" not in called:
                seen.add(tuple(shlex.split(rest, comments=True)))
    return {" ".join(arguments): arguments for arguments in seen}


COMMANDS = commands()


def test_there_are_blocks_of_every_kind():
    assert len(COMMANDS) > 30
    assert "fit --config configs/distill.yaml" in COMMANDS
    assert all(any(blocks(language)) for language in ("bash", "python", "yaml"))
    assert {arguments[0] for arguments in COMMANDS.values()} <= (TRAINING | PLAN).keys() | OTHERS.keys()


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_commands_have_the_options_they_show(command, monkeypatch):
    """Everything is parsed as for a run; nothing runs."""
    skip_what_is_not_here(command)
    monkeypatch.chdir(ROOT)
    name, *arguments = COMMANDS[command]
    if name in OTHERS:
        monkeypatch.setattr(importlib.import_module(OTHERS[name][0]), "run", lambda options: 0)
        assert main([name, *arguments]) == 0
    elif not {"--help", "--help_all", "--print_config"} & set(arguments):
        values = [re.sub(r"\$size", "0.5b", text).replace("${cluster}", "fsdp") for text in arguments]
        classes = {"plan": PlanCLI, "precompute": PrecomputeCLI}
        cli_class, command = (classes[name], "fit") if name in PLAN else (TrainingCLI, name)
        parse(*values, cli_class=cli_class, command=command)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the photograph of the documentation."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((96, 80)).save("photo.jpg")
    return tmp_path


@pytest.mark.parametrize(
    "command", [c for c in sorted(COMMANDS) if c.startswith(QUICK) and "--model" not in c]
)
def test_quick_commands_run(command, here, capsys):
    skip_what_is_not_here(command)
    assert main(COMMANDS[command]) == 0
    if "-o" in COMMANDS[command]:
        assert Path(COMMANDS[command][COMMANDS[command].index("-o") + 1]).exists()
    else:
        assert capsys.readouterr().out


@pytest.mark.slow
def test_the_first_command_trains(here):
    """README's first command at two small steps; its first half, the installation, is .ci/run's."""
    (_, first), *_ = blocks("bash")
    install, run = first.strip().split(" && ")
    assert install == "pip install ."
    small = (
        "--data.batch_size=1 --data.crop_size=64 --trainer.limit_val_batches=1 --trainer.precision=32-true"
    )
    assert not main(
        [*shlex.split(run)[2:], *small.split(), "--trainer.max_steps=2", "--trainer.val_check_interval=2"]
    )
    (folder,) = here.glob("runs/distill/*")
    assert {"model", "metrics", "images"} <= {path.name for path in folder.iterdir()}
    assert Restorer.from_pretrained(folder)(Image.open("photo.jpg"), scale=1).size == (96, 80)


PYTHON = dict(blocks("python"))
YAML = dict(blocks("yaml"))


@pytest.mark.parametrize("place", PYTHON)
def test_python_runs(place, here):
    skip_what_is_not_here(PYTHON[place])
    exec(PYTHON[place], {"image": Image.open("photo.jpg"), "Restorer": Restorer})


@pytest.mark.parametrize("place", YAML)
def test_yaml_is_an_overlay(place, tmp_path):
    given = yaml.safe_load(YAML[place])
    overlay = given if {"model", "data", "trainer"} & given.keys() else {"model": {"init_args": given}}
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    config = parse("--config", str(CONFIGS / "teacher.yaml"), "--config", str(tmp_path / "overlay.yaml"))
    assert all(key in config.config.fit for key in overlay)


@pytest.mark.parametrize("path", DOCTESTS, ids=lambda path: path.stem)
def test_doctests(path):
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
