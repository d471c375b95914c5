"""First page of help for the training commands: what one types, before the hundreds of keys there are."""

from rich.console import Console
from rich.table import Table

from vosr.core.arguments import arguments_of
from vosr.core.console import PlainConsole
from vosr.core.registry import REGISTRIES

EVERYTHING = "--help_all"
"""Option that lists every key, instead of the first page."""

OFTEN = {
    "--model.init_from=MODEL": "teacher: finetune a run folder, a model folder or a shipped name",
    "--model.teacher=MODEL": "distillation: the teacher, likewise",
    "--data.train=SOURCE": "shards (paths, braces, URLs), or synthetic",
    "--data.batch_size=N": "images per device",
    "--data.crop_size=N": "pixels",
    "--model.optimizer.lr=RATE": "the peak of the schedule",
    "--trainer.max_steps=N": "the schedule follows",
    "--trainer.devices=N": "per host",
    "--trainer.precision=P": "32-true, bf16-mixed",
    "--name=NAME --runs=FOLDER": "the run folder is FOLDER/NAME/001, 002, …",
    "--ckpt_path=last": "continue the newest run; auto: begin one where there is none",
}
OF_PLAN = {
    "--device=NAME": "what the run would use: h100, a100-80, …; h100 if not given",
    "--nodes=N --devices=M": "replace trainer.num_nodes and trainer.devices",
    "--utilisation=SHARE": "of the device's peak that is reached; 0.4 if not given",
    "--teacher_config=CONFIG": "of a teacher that does not exist yet",
}

OF_PRECOMPUTE = {
    "-o FOLDER": "of the shards; then fit … --data.train=FOLDER",
    "--variants=N": "crops and degradations of each image; 1 if not given",
    "--dtype=TYPE": "float32, bfloat16, float16; as computed if not given",
    "--images=true": "keep the clean crops too, which image losses need",
    "--max_megabytes=N": "size of a shard; 500 if not given",
}
OPTIONS = {"plan": OF_PLAN, "precompute": OF_PRECOMPUTE}


def show_guide(command: str, description: str) -> None:
    """Print the first page of ``fit``, ``validate``, ``test``, ``predict``, ``plan`` or ``precompute``."""
    console = Console(highlight=False, markup=False)
    console.print(
        f"usage: python main.py {command} --config CONFIG [--config OVERLAY …] [--KEY=VALUE …]\n\n"
        f"{description} Later configs win over earlier ones, keys of the command line over both.\n"
        "CONFIG is a file, or a name of configs/: teacher, distill; overlays such as task/jpeg and cluster/fsdp.\n"
    )
    _list(console, "Components, by name; their arguments by --model.KIND.ARGUMENT=VALUE", _components())
    if command in OPTIONS:
        _list(console, f"Options of {command}", OPTIONS[command])
    _list(console, "Keys that are often set", OFTEN)
    closer = {
        "--print_config": "every key with its value, as the configs and keys before it make them",
        "--model.KIND.help=NAME": "arguments of a component, as python main.py components NAME",
        EVERYTHING: "every key with its type",
    }
    _list(console, "A closer look", closer)


def show_module_keys() -> None:
    """Print the keys of the classes that a config names, which the parser's own list leaves out."""
    from data_pipelines import ShardDataModule
    from vosr.training import DistillationModule, TeacherModule

    console = PlainConsole()
    for key, cls in (("model", TeacherModule), ("model", DistillationModule), ("data", ShardDataModule)):
        console.print(f"Keys of {cls.__name__} (--{key}={cls.__name__})")
        for argument in arguments_of(cls):
            console.print(f"  --{key}.{argument.name}={argument.value}   ({argument.type})")
            console.print(f"      {argument.text}")
        console.print()


def asked_component(arguments: list[str]) -> tuple[str, str] | None:
    """Kind and name of ``--model.KIND.help=NAME`` or ``--model.KIND.help NAME``; the name may be left out."""
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        flag, equals, value = argument.partition("=")
        kind = flag.removeprefix("--model.").removesuffix(".help")
        if flag == f"--model.{kind}.help" and kind in REGISTRIES:
            return kind, value if equals or following.startswith("-") else following
    return None


def _components() -> dict[str, str]:
    return {f"--model.{kind}=NAME": ", ".join(registry.names()) for kind, registry in REGISTRIES.items()}


def _list(console: Console, title: str, rows: dict[str, str]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in rows.items():
        table.add_row(f"  {name}", text)
    console.print(title)
    console.print(table)
    console.print()
