"""What the site adds to the pages of docs: a page for every component, and links that lead out of docs."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vosr.cli.components import chosen, key_of
from vosr.core.arguments import REQUIRED, arguments_of, description_of
from vosr.core.registry import REGISTRIES, class_path, summary

ROOT = Path(__file__).parents[2]
OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages that lie beside docs, and where the site has them."""
DISTILLED = ("image_loss", "discriminator")
"""Kinds that belong to distillation."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the components into the navigation, and behind it the pages that mkdocs.yml does not name."""
    kinds: list[Any] = [
        {
            kind: [
                f"components/{kind}/index.md",
                *(f"components/{kind}/{name}.md" for name in registry.names()),
            ]
        }
        for kind, registry in REGISTRIES.items()
    ]
    assert config.nav is not None
    place = next(i for i, entry in enumerate(config.nav) if "Extend" in entry)
    config.nav.insert(place, {"Components": kinds})
    named = str(config.nav)
    config.nav.extend(page.name for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in named)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are generated, and those that lie beside docs."""
    for source, target in OUTSIDE.items():
        text = re.sub(r"\]\((?!docs/|https?:|#)", "](../", (ROOT / source).read_text()).replace(
            "](docs/", "]("
        )
        files.append(File.generated(config, target, content=text))
    for kind, registry in REGISTRIES.items():
        rows = [f"| [`{name}`]({name}.md) | {summary(cls)} |" for name, cls in registry]
        listing = "\n".join(
            [f"# {kind}", "", f"`{chosen(kind, 'NAME')}`", "", "| name | |", "|---|---|", *rows, ""]
        )
        files.append(File.generated(config, f"components/{kind}/index.md", content=listing))
        for name, cls in registry:
            page = component_page(kind, name, cls)
            files.append(File.generated(config, f"components/{kind}/{name}.md", content=page))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the repository lead to its host, if ``repo_url`` names one, and are plain text otherwise."""

    def outside(found: re.Match[str]) -> str:
        text, path = found.groups()
        if path in OUTSIDE:
            return f"[{text}]({OUTSIDE[path]})"
        return f"[{text}]({config.repo_url}/blob/main/{path})" if config.repo_url else text

    return re.sub(r"\[([^\]]+)\]\(\.\./([^)\s]+)\)", outside, markdown)


def component_page(kind: str, name: str, cls: type) -> str:
    """Markdown: what it is, its arguments as they are typed, an example."""
    arguments = arguments_of(cls)
    lines = [f"# {name}", "", f"`{class_path(cls)}`", "", description_of(cls), ""]
    if arguments:
        lines += ["| key | default | values | |", "|---|---|---|---|"]
        for argument in arguments:
            key = f"{key_of(kind)}.{argument.name}" if key_of(kind) else argument.name
            default = "required" if argument.default is REQUIRED else f"`{argument.value}`"
            cells = (f"`{key}`", default, argument.type, argument.text)
            lines.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
        lines.append("")
    return "\n".join([*lines, *_example(kind, name, cls), ""])


def _example(kind: str, name: str, cls: type) -> list[str]:
    required = [a.name for a in arguments_of(cls) if a.default is REQUIRED]
    if required:
        given = ", ".join(f"{name}: …" for name in required)
        return ["```yaml", f"{kind}:", f"  class_path: {name}", f"  init_args: {{{given}}}", "```"]
    if kind == "metric":
        return [
            "```bash",
            f"python main.py evaluate --model bicubic vosr_small_student --data builtin --metrics {name} -o report",
            "```",
        ]
    from vosr.objectives import DistillationObjective  # heavy, and for this alone

    config = "distill" if kind in DISTILLED or issubclass(cls, DistillationObjective) else "teacher"
    more = " --model.adversary=vosr.objectives.Adversary" if kind == "discriminator" else ""
    return ["```bash", f"python main.py fit --config configs/{config}.yaml{more} {chosen(kind, name)}", "```"]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
