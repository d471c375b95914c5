"""The site is built without a warning, and has a page for every component with all its arguments."""

import html
import logging
import re
from pathlib import Path

import pytest

from vosr.core.arguments import arguments_of
from vosr.core.registry import REGISTRIES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built pages; a warning of mkdocs ends the build."""
    pytest.importorskip("material")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    logging.getLogger("mkdocs").setLevel(logging.WARNING)
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder)))
    return folder


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def test_every_component_has_a_page_with_its_arguments(site):
    for kind, registry in REGISTRIES.items():
        for name, cls in registry:
            text = text_of(site / "components" / kind / name / "index.html")
            for argument in arguments_of(cls):
                assert argument.name in text, (kind, name, argument.name)
    assert "--model.encoder.size" in text_of(site / "components/encoder/dinov2/index.html")


def test_pages_that_the_first_page_leads_to(site):
    for name in ("own_photographs", "distil", "checkpoints", "tasks", "troubleshooting", "migration", "hub", "plugins",
                 "method", "evaluation", "contributing", "changelog"):  # fmt: skip
        assert (site / name / "index.html").is_file(), name
    assert "Five-minute start" in text_of(site / "index.html")
    assert not (site / "_site").exists()
