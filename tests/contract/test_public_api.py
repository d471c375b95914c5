"""What users hold: names, commands and config keys are those of public_api.txt.

After a change that is meant: ``python tests/contract/test_public_api.py`` writes the file anew.
"""

import inspect
from pathlib import Path

FILE = Path(__file__).with_name("public_api.txt")


def public_api():
    """One line each: kind, then name."""
    import data_pipelines
    import vosr
    from data_pipelines import ShardDataModule
    from vosr.cli.main import OTHERS, PLAN, TRAINING
    from vosr.core.registry import REGISTRIES
    from vosr.inference import Restorer
    from vosr.training import AutoencoderModule, DistillationModule, LightDecoderModule, TeacherModule
    from vosr.training.reconstruction import ReconstructionModule

    lines = [f"vosr.{name}" for name in vosr.__all__]
    lines += [f"data_pipelines.{name}" for name in data_pipelines.__all__]
    lines += [f"command {name}" for name in (*TRAINING, *PLAN, *OTHERS)]
    own = {
        kind: [n for n, cls in registry if cls.__module__.startswith("vosr.")]
        for kind, registry in REGISTRIES.items()
    }
    lines += [f"{kind} {name}" for kind, names in own.items() for name in names]
    for title, built in (
        ("TeacherModule", TeacherModule),
        ("DistillationModule", DistillationModule),
        ("ReconstructionModule", ReconstructionModule),
        ("AutoencoderModule", AutoencoderModule),
        ("LightDecoderModule", LightDecoderModule),
        ("ShardDataModule", ShardDataModule),
        ("Restorer.from_pretrained", Restorer.from_pretrained),
        ("Restorer()", Restorer.__call__),
    ):
        lines += [f"{title} {name}" for name in inspect.signature(built).parameters if name != "self"]
    return sorted(lines)


def test_public_api_is_as_written():
    assert public_api() == FILE.read_text().splitlines()


if __name__ == "__main__":
    FILE.write_text("\n".join(public_api()) + "\n")
