"""Configurations that come with the package, by name."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
CONFIGS = next(
    (folder for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs") if folder.is_dir()), _PACKAGE
)
"""In an installed package inside it, in a checkout beside it."""


def config_names() -> list[str]:
    """Every packaged config without its ending: ``teacher``, ``cluster/fsdp``."""
    files = [*CONFIGS.glob("*.yaml"), *CONFIGS.glob("*/*.yaml")]
    return sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in files)


def packaged_config(name: str) -> Path | None:
    """The file of a packaged config; None where there is none of that name."""
    return CONFIGS / f"{name}.yaml" if name in config_names() else None
