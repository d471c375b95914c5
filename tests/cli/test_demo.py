"""The page and its server: one model, a bounded queue, limits, and a bad image that harms no other."""

from pathlib import Path

import numpy as np
import pytest
from jsonargparse import Namespace
from PIL import Image

from vosr import Restorer
from vosr.cli.demo import build, restoring

MODEL = "vosr_small_student"
CHROMIUM = Path("/usr/bin/chromium")


def photograph():
    small = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((24, 20), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    photograph().save(path)
    return str(path)


@pytest.fixture(scope="module")
def restorer():
    return Restorer.from_pretrained(MODEL, "cpu")


def test_requests_are_answered_or_refused_in_a_sentence(restorer, photo, tmp_path):
    restore = restoring({MODEL: restorer}, most_pixels=50_000)
    bad = tmp_path / "bad.png"
    for content in (b"", b"no image", Path(photo).read_bytes()[:80]):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"^This is no image that can be read\.$"):
            restore(str(bad), MODEL, 2.0)
    with pytest.raises(ValueError, match=r"^There is no photograph yet\.$"):
        restore(None, MODEL, 2.0)
    with pytest.raises(ValueError, match=r"^24 x 20 enlarged 8 times is over 0.01 megapixels"):
        restoring({MODEL: restorer}, most_pixels=10_000)(photo, MODEL, 8.0)
    for model, scale in (("other", 2.0), (MODEL, 0.5), (MODEL, float("nan"))):
        with pytest.raises(ValueError, match=f"^The model is one of {MODEL}, the enlargement 1 to 8"):
            restore(photo, model, scale)
    before, after = restore(photo, MODEL, 2.0)
    assert before.size == after.size == (48, 40)
    assert np.array_equal(np.asarray(after), np.asarray(restorer(photograph(), scale=2.0)))
    assert np.array_equal(
        np.asarray(before), np.asarray(photograph().resize((48, 40), Image.Resampling.BICUBIC))
    )


@pytest.fixture(scope="module")
def served():
    pytest.importorskip("gradio", reason="needs pip install '.[demo]'")
    options = Namespace(model=[MODEL], trust_remote_code=False, device="cpu", queue=4, megapixels=1.0)
    page = build(options)
    _, address, _ = page.launch(server_port=None, prevent_thread_lock=True, quiet=True, share=False)
    yield address
    page.close()


@pytest.mark.slow
def test_a_script_is_answered_after_a_bad_image_as_before(served, restorer, photo, tmp_path):
    client_of = pytest.importorskip("gradio_client")
    client = client_of.Client(served, verbose=False)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no image")
    expected = np.asarray(restorer(photograph(), scale=2.0))
    for _ in range(2):
        _, after = client.predict(client_of.handle_file(photo), MODEL, 2.0, api_name="/restore")
        assert np.array_equal(np.asarray(Image.open(after).convert("RGB")), expected)
        with pytest.raises(Exception, match="image"):
            client.predict(client_of.handle_file(str(bad)), MODEL, 2.0, api_name="/restore")


@pytest.mark.slow
def test_a_browser_shows_before_and_after(served, photo):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install '.[dev]'")
    if not CHROMIUM.exists():
        pytest.skip(f"needs Debian's chromium at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context().new_page()
        page.set_default_timeout(300_000)
        page.goto(served)
        page.set_input_files("input[type=file]", photo)
        page.get_by_text("photo").first.wait_for()
        page.get_by_role("button", name="Restore").click()
        page.wait_for_function("[...document.images].filter(i => i.naturalWidth == 96).length == 2")
        browser.close()
