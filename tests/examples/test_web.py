"""The static page in a real browser: a photograph restored there is what ``restore`` makes of it."""

import functools
import http.server
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosr import Restorer
from vosr.checkpoints import load_model
from vosr.inference.exported import save_graphs

PAGE = Path(__file__).parents[2] / "examples/web"
CHROMIUM = Path("/usr/bin/chromium")
MODEL = "vosr_small_student"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of the page with the exported model and onnxruntime-web from npm."""
    pytest.importorskip("onnxscript", reason="needs pip install '.[onnx]'")
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("web") / "page"
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("model"))  # it may be of other weights
    if not (folder / "node_modules").is_dir():
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"onnxruntime-web cannot be had from npm: {done.stderr[-300:]}")
    (folder / "model").mkdir()
    save_graphs(load_model(MODEL), folder / "model", "onnx")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def page(served):
    """Opens the page with options in its address; errors end the test."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[dev]'")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's chromium at {CHROMIUM}")
    complaints = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context().new_page()
        page.set_default_timeout(600_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))

        def opened(options):
            page.goto(f"{served}/?device=wasm&{options}")
            page.wait_for_function("document.getElementById('status').textContent.startsWith('Ready')")
            return page

        yield opened
        browser.close()
    assert complaints == []


def photograph(kind):
    """Smooth colours with edges, 40 x 52; sides that are no multiples of anything."""
    small = np.random.default_rng(0).integers(0, 256, (7, 6, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((41, 53), Image.Resampling.BICUBIC)
    image.paste((250, 240, 20), (10, 20, 30, 36))
    return image.convert("L").convert("RGB") if kind == "grey" else image


def restored(page, path):
    page.set_input_files("#file", path)
    page.wait_for_selector("#save:not([hidden])")
    with page.expect_download() as download:
        page.click("#save")
    return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)


@pytest.mark.parametrize(("kind", "scale", "tile"), [("colour", 4, 128), ("grey", 3, 256)])
def test_the_browser_restores_as_the_command_does(page, tmp_path, kind, scale, tile):
    path = tmp_path / "photo.png"
    photograph(kind).save(path)
    opened = page(f"tile={tile}")
    opened.select_option("#scale", str(scale))
    result = restored(opened, path)
    expected = Restorer.from_pretrained(MODEL, "cpu")(photograph(kind), scale=scale, tile=tile)
    assert result.shape == (53 * scale, 41 * scale, 3)
    difference = np.abs(result - np.asarray(expected).astype(int))
    assert difference.max() <= 2
    before = np.asarray(photograph(kind).resize((41 * scale, 53 * scale), Image.Resampling.BICUBIC)).astype(
        int
    )
    assert np.abs(result - before).mean() > 1  # it does something


def test_what_is_no_photograph_is_told(page, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"no image")
    opened = page("")
    opened.set_input_files("#file", path)
    opened.wait_for_function(
        "document.getElementById('status').textContent.includes('photo.png is no image')"
    )
