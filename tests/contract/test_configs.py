"""Every YAML of the repository parses, and the paper-scale models have the published sizes."""

import itertools
from pathlib import Path

import pytest
import torch

from vosr.cli.names import expand_arguments
from vosr.cli.training import TrainingCLI

CONFIGS = Path(__file__).parents[2] / "configs"
MAIN = sorted(
    [
        *CONFIGS.glob("**/teacher.yaml"),
        *CONFIGS.glob("**/distill.yaml"),
        *CONFIGS.glob("**/autoencoder.yaml"),
        *CONFIGS.glob("**/light_decoder.yaml"),
        *CONFIGS.glob("shipped/[1-9]_*.yaml"),
    ]
)
OVERLAYS = sorted(
    path
    for path in CONFIGS.glob("*/*.yaml")
    if path not in MAIN and path.parent.name not in ("ablation", "benchmark")
)
COUNTS = {
    ("vosr_0.5b", "teacher"): 485_623_616,
    ("vosr_0.5b", "distill"): 486_936_384,
    ("vosr_1.4b", "teacher"): 1_393_943_616,
    ("vosr_1.4b", "distill"): 1_396_699_200,
    ("vosr_10b", "teacher"): 10_099_041_856,
}


class Parsed(Exception):
    """Ends the command line before anything is built."""


def parse(*arguments):
    """The parsed configuration of a fit, without building anything."""
    cli = TrainingCLI.__new__(TrainingCLI)

    def stop():
        raise Parsed

    cli.before_instantiate_classes = stop
    with pytest.raises(Parsed):
        TrainingCLI.__init__(cli, expand_arguments(["fit", *arguments]))
    return cli


def identifier(path):
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize("path", MAIN, ids=identifier)
def test_configs_parse(path):
    config = parse("--config", str(path)).config.fit
    assert config.trainer.max_steps > 0
    assert config.model.class_path.startswith("vosr.training.")


@pytest.mark.parametrize("overlay", OVERLAYS, ids=identifier)
def test_overlays_parse_on_both_stages(overlay):
    if (
        str(overlay.relative_to(CONFIGS)) == "shipped/degradation.yaml"
    ):  # what both configs have as they stand
        pytest.skip("both embedded configs spell it out")
    for main in ("teacher.yaml", "distill.yaml"):
        if overlay.name.startswith("finetune"):  # the second stage of the paper's models
            main = "vosr_0.5b/teacher.yaml"
        plain = parse("--config", str(CONFIGS / main)).config.fit.as_dict()
        changed = parse("--config", str(CONFIGS / main), "--config", str(overlay)).config.fit.as_dict()
        plain.pop("config")
        changed.pop("config")
        assert plain != changed


@pytest.mark.parametrize(("size", "stage"), COUNTS)
def test_paper_scale_models_on_the_meta_device(size, stage):
    """Built from the YAML itself, frozen parts without weights; the student from the teacher's architecture."""
    arguments = ["--config", str(CONFIGS / size / "teacher.yaml")]
    arguments += ["--model.encoder.pretrained=false", "--model.autoencoder.pretrained=false"]
    cli = parse(*arguments)
    with torch.device("meta"):
        model = cli.parser.instantiate_classes(cli.config).fit.model
        backbone = model.build_backbone()
        if stage == "distill":
            backbone = type(backbone)(**(backbone.init_args | {"end_time": True}))
    assert sum(p.numel() for p in backbone.parameters()) == COUNTS[size, stage]


@pytest.mark.parametrize("kind", ["encoder", "guidance", "objective", "autoencoder", "degradation"])
def test_a_name_and_its_dotted_path_give_the_same_configuration(kind):
    from vosr.core.registry import REGISTRIES, class_path

    registry = REGISTRIES[kind]
    name = {"encoder": "none", "guidance": "none", "objective": "flow_matching", "autoencoder": "dct"}.get(
        kind, "gaussian_noise"
    )
    given = [
        parse("--config", str(CONFIGS / "teacher.yaml"), f"--model.{kind}={value}").config.fit.model
        for value in (name, class_path(registry.get(name)))
    ]
    assert given[0] == given[1]


def test_teacher_and_distill_recipes_follow_the_paper():
    for size, (stage, lr, steps) in itertools.product(
        ("vosr_0.5b", "vosr_1.4b"), (("teacher", 1e-4, 400_000), ("distill", 2e-5, 50_000))
    ):
        config = parse("--config", str(CONFIGS / size / f"{stage}.yaml")).config.fit
        optimizer = config.model.init_args.optimizer.init_args
        assert (optimizer.lr, tuple(optimizer.betas), optimizer.weight_decay) == (lr, (0.9, 0.95), 0.01)
        assert config.trainer.max_steps == steps
        assert config.trainer.gradient_clip_val == 1.0
        assert config.model.init_args.ema_decay == 0.9999
