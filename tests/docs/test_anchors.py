"""Sections of the documentation that code and pages cite exist, and so do the files that pages link."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [
    *(
        path
        for folder in ("vosr", "data_pipelines", "configs", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*")
    ),
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
]
TEXTS = [path for path in SOURCES if path.suffix in (".py", ".yaml", ".md") and path.is_file()]


def anchors(page: Path) -> set[str]:
    """As code hosts make them: lower case, punctuation dropped, spaces to hyphens."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_cited_section_exists():
    cited = [
        (path, page, anchor)
        for path in TEXTS
        for page, anchor in re.findall(r"docs/(\w+\.md)#([\w-]+)", path.read_text())
    ]
    assert len(cited) > 25  # the method is cited all over the code
    missing = [
        str((path.relative_to(ROOT), page, anchor))
        for path, page, anchor in cited
        if anchor not in anchors(ROOT / "docs" / page)
    ]
    assert not missing


@pytest.mark.parametrize("page", [p for p in TEXTS if p.suffix == ".md"], ids=lambda p: p.name)
def test_links_between_pages_and_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        place = page if not path else page.parent / path
        assert place.exists(), target
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), target


def test_no_code_cites_a_text_that_is_not_in_the_repository():
    assert not [path for path in TEXTS if re.search(r"METHOD sections? \d", path.read_text())]
