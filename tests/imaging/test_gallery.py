"""The comparison pages, in a real browser that has no network."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosr.imaging import gallery
from vosr.imaging.comparison import BeforeAfter
from vosr.imaging.gallery import write_comparison, write_gallery
from vosr.imaging.photo import Photo
from vosr.imaging.writing import write_photo

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ["a.png", "z.jpg", "sub/ü & <b> #1 50%.png"]


def compare(out, name, shade=200):
    """A dark input and a bright result."""
    photo, restored = Photo(np.full((60, 80, 3), 40, np.uint8)), np.full((120, 160, 3), shade, np.uint8)
    write_photo(photo, [restored], (160, 120), out / name)
    comparison = BeforeAfter(photo, (160, 120))
    list(comparison.watch([restored]))
    write_comparison(comparison.result(), out / "comparison" / f"{name}.png")


@pytest.fixture
def folder(tmp_path):
    for name in NAMES:
        compare(tmp_path, name)
    assert write_gallery(tmp_path / "comparison", tmp_path) == tmp_path / "comparison/index.html"
    return tmp_path


def test_pages_need_nothing_from_elsewhere(folder):
    text = (folder / "comparison/index.html").read_text("utf-8")
    links = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert len(links) == 4 * len(NAMES)
    assert not re.search(r"https?:|//|@import", text)


def test_pages_are_turned_over(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "PER_PAGE", 2)
    for i in range(5):
        compare(tmp_path, f"{i}.png")
    write_gallery(tmp_path / "comparison", tmp_path)
    pages = sorted((tmp_path / "comparison").glob("*.html"))
    assert [page.name for page in pages] == ["index.html", "page_2.html", "page_3.html"]
    texts = [page.read_text("utf-8") for page in pages]
    assert [text.count("<figure>") for text in texts] == [2, 2, 1]
    assert ["Previous" in text for text in texts] == [False, True, True]
    assert ["Next" in text for text in texts] == [True, True, False]


def test_no_comparisons_no_pages(tmp_path):
    assert write_gallery(tmp_path, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def page(folder):
    """The first page, opened in Chromium; failed requests and errors end the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[dev]'")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's chromium at {CHROMIUM}")
    complaints = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(viewport={"width": 900, "height": 700}, offline=True)
        page = context.new_page()
        page.on("requestfailed", lambda request: complaints.append(request.url))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / "comparison/index.html").as_uri())
        yield page
        browser.close()
    assert complaints == []


def shown(page, index, folder):
    """Grey values along the middle line of a stage, from left to right."""
    path = folder / "shot.png"
    page.locator(".stage").nth(index).screenshot(path=path)
    image = np.asarray(Image.open(path).convert("L")).astype(int)
    return image[image.shape[0] * 3 // 4]


def bright_share(line):
    return float((line > 120).mean())


def test_drag_keys_and_zoom(page, folder):
    stage, slider = page.locator(".stage").first, page.locator(".stage input").first
    assert page.locator(".stage").count() == len(NAMES)
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert bright_share(shown(page, 0, folder)) == pytest.approx(0.5, abs=0.02)
    box = stage.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.2 * box["width"], y, steps=5)
    page.mouse.up()
    line = shown(page, 0, folder)
    assert bright_share(line) == pytest.approx(0.8, abs=0.02)
    assert line[: len(line) // 10].mean() == pytest.approx(40, abs=4)  # the input
    assert line[-len(line) // 2 :].mean() == pytest.approx(200, abs=4)  # the result
    assert bright_share(shown(page, 1, folder)) == pytest.approx(0.5, abs=0.02)  # the others stay
    slider.focus()
    page.keyboard.press("Home")
    assert bright_share(shown(page, 0, folder)) == pytest.approx(1, abs=0.02)
    page.keyboard.press("End")
    assert bright_share(shown(page, 0, folder)) == pytest.approx(0, abs=0.02)
    for _ in range(3):
        page.keyboard.press("PageDown")
    assert 0.2 < bright_share(shown(page, 0, folder)) < 0.5
    page.get_by_label("Actual size").check()
    assert stage.bounding_box()["width"] == 160


def test_everything_is_reached_by_keyboard_and_named(page):
    page.keyboard.press("Tab")
    reached = []
    for _ in range(1 + 3 * len(NAMES)):
        reached.append(page.evaluate("document.activeElement.ariaLabel || document.activeElement.tagName"))
        page.keyboard.press("Tab")
    assert [name for name in reached if "share of the input" in name] == [
        f"{name}: share of the input that is shown" for name in NAMES
    ]
    assert page.evaluate("[...document.images].every(image => image.alt)")


def test_links_lead_to_files(page, folder):
    for link in page.locator("figcaption a").all():
        path = link.evaluate("link => decodeURIComponent(new URL(link.href).pathname)")
        assert Path(path).is_file()
