"""The report's page, in a real browser that has no network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosr.cli import main

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Three smooth pairs; bicubic, and a tool whose results are nearly black."""
    folder = tmp_path_factory.mktemp("evaluated")
    rng = np.random.default_rng(0)
    for name in ("a", "b <1>", "c"):
        lq = Image.fromarray(rng.integers(60, 200, (48, 56, 3), dtype=np.uint8))
        for place, image in (
            ("LR", lq),
            ("HR", lq.resize((224, 192), Image.Resampling.BICUBIC)),
            ("black", lq.resize((224, 192), Image.Resampling.NEAREST).point(lambda value: value // 8)),
        ):
            path = folder / "set" / place / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    black = folder / "black"
    (folder / "set/black").rename(black)
    out = folder / "report"
    arguments = [
        "--data",
        str(folder / "set"),
        "-o",
        str(out),
        "--metrics",
        "psnr_y",
        "niqe",
        "ssim_y",
        "--device",
        "cpu",
    ]
    assert main(["evaluate", "--model", "bicubic", str(black), *arguments]) == 0
    return out


@pytest.fixture
def page(report):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[dev]'")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's chromium at {CHROMIUM}")
    complaints = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_context(viewport={"width": 1200, "height": 800}, offline=True).new_page()
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((report / "index.html").as_uri())
        yield page
        browser.close()
    assert complaints == []


def brightness(stage, path):
    stage.screenshot(path=path)
    pixels = np.asarray(Image.open(path).convert("L")).astype(float)
    line = pixels[pixels.shape[0] * 3 // 4]
    return line[: len(line) // 4].mean(), line[-len(line) // 4 :].mean()


def test_tables_figures_and_choices(page, tmp_path):
    rows = page.locator("section").first.locator("tbody tr")
    assert rows.count() == 2
    assert rows.nth(1).locator("td").first.inner_text() == "black"
    assert rows.nth(0).locator("td.best").count() >= 1
    assert rows.nth(1).locator("small.bad").count() >= 1  # worse than bicubic, and certainly so
    assert page.locator("svg.scatter circle").count() == 2
    stages = page.locator(".stage")
    assert stages.count() >= 2
    page.evaluate("for (const image of document.images) image.loading = 'eager'")
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("[...document.images].every(image => image.alt)")
    left, right = brightness(stages.first, tmp_path / "shot.png")
    assert left > 60  # bicubic
    assert right < 30  # the dark tool
    choice = page.locator(".choose select").nth(1)
    assert choice.locator("option").all_inner_texts() == ["input", "ground truth", "bicubic", "black"]
    choice.select_option(label="ground truth")
    assert stages.first.locator(".right").inner_text() == "ground truth"
    page.wait_for_function("document.querySelector('.after').complete")
    assert brightness(stages.first, tmp_path / "shot.png")[1] > 60


def test_it_says_what_is_published_and_how_it_was_measured(page):
    text = page.locator("main").inner_text()
    assert "Published, not measured here" in text
    assert "VOSR-1.4B-os" in text
    assert "percentile bootstrap" in text
    header = page.locator("header").inner_text()
    assert "torch 2." in header
    assert "studio range" in header


def test_the_page_needs_nothing_from_elsewhere(report):
    text = (report / "index.html").read_text()
    assert "http" not in text.replace("http://www.w3.org", "").replace("https://download.pytorch.org", "")
    assert "b &lt;1&gt;" in text
    assert "b <1>" not in text
