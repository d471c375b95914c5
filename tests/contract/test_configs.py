"""Every YAML of the repository parses, and the paper-scale models have the published sizes."""

import itertools
from functools import cache

import pytest
import torch
import yaml
from training_configs import CONFIGS, parse

from vosr.cli.ablate import read_grid
from vosr.cli.configs import named_configs
from vosr.core.registry import REGISTRIES, class_path

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


GRIDS = sorted(CONFIGS.glob("ablation/*.yaml"))


def identifier(path):
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize("path", MAIN, ids=identifier)
def test_configs_parse(path):
    config = parse("--config", str(path)).config.fit
    assert config.trainer.max_steps > 0
    assert config.model.class_path.startswith("vosr.training.")


@pytest.mark.parametrize("path", GRIDS, ids=identifier)
def test_every_variant_of_a_grid_parses(path):
    grid = read_grid(path)
    for arguments in grid.variants.values():
        own = [argument.format_map(dict.fromkeys(grid.variants, "FOLDER")) for argument in arguments]
        config = parse(*named_configs([*grid.fit, *own])).config.fit
        assert 0 < config.trainer.max_steps <= 600


@cache
def parsed(*names):
    """Configuration of a fit with files of ``configs``, the later over the earlier ones."""
    config = parse(*(f"--config={CONFIGS / name}" for name in names)).config.fit.as_dict()
    del config["config"]
    return config


def in_force(given, value):
    """Whether what a YAML file gives stands in the parsed configuration, registered names as their classes."""
    if isinstance(given, dict):
        return all(key in value and in_force(given[key], value[key]) for key in given)
    if isinstance(given, list):
        same = isinstance(value, list | tuple) and len(given) == len(value)
        return same and all(map(in_force, given, value))
    if isinstance(value, dict) and isinstance(given, str):  # a name alone stands for {class_path: name}
        value = value["class_path"]
    named = [dict(registry)[given] for registry in REGISTRIES.values() if given in registry.names()]
    return value == given or value in map(class_path, named)


def test_rate_and_length_are_one_key_each():
    arguments = ["--model.optimizer.lr=0.5", "--trainer.max_steps=7"]
    config = parse("--config", str(CONFIGS / "teacher.yaml"), *arguments).config.fit
    schedule = config.model.init_args.lr_scheduler
    assert config.model.init_args.optimizer.init_args.lr == 0.5
    assert schedule.class_path == "vosr.training.CosineWithWarmup"
    assert schedule.init_args.total_steps is None  # the trainer's


@pytest.mark.parametrize("overlay", OVERLAYS, ids=identifier)
def test_all_of_an_overlay_is_in_force_on_both_stages(overlay):
    if identifier(overlay) == "shipped/degradation.yaml":  # what both configs have as they stand
        pytest.skip("both embedded configs spell it out")
    second_stage = overlay.name.startswith("finetune")  # of the paper's models
    for main in ("vosr_0.5b/teacher.yaml",) if second_stage else ("teacher.yaml", "distill.yaml"):
        changed = parsed(main, identifier(overlay))
        assert in_force(yaml.safe_load(overlay.read_text()), changed)
        assert changed != parsed(main)


@pytest.mark.parametrize("given", [{"a": 2}, {"b": 1}, {"a": [1]}, {"c": [1]}, {"d": "dct"}])
def test_what_is_not_in_force_is_seen(given):
    assert in_force(
        {"a": 1, "c": [1, 2], "d": "none"}, {"a": 1, "c": (1, 2), "d": "vosr.encoders.none.NoEncoder"}
    )
    value = {"a": 1, "c": [1, 2], "d": {"class_path": "vosr.encoders.none.NoEncoder"}}
    assert not in_force(given, value)


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


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("vosr_*/[td]*.yaml")), ids=identifier)
def test_configs_of_the_reference_neither_mirror_nor_turn(path):
    data = yaml.safe_load(path.read_text())["data"]["init_args"]
    assert data["augmentation"] == {"flips": False, "rotations": False}
