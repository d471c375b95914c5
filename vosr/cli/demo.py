"""``demo``: a page that restores photographs, and the same as a server for scripts (gradio_client)."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace
from PIL import Image, ImageOps

from vosr.cli.engine import DEFAULT_MODEL, add_trust_argument
from vosr.imaging.formats import PILLOW_READS

if TYPE_CHECKING:
    from vosr.inference import Restorer

Restore = Callable[[str | None, str, float], tuple[Image.Image, Image.Image]]
LARGEST_SCALE = 8.0


def add_arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--model", nargs="+", default=[DEFAULT_MODEL], help="Models to choose from; each is opened once."
    )
    add_trust_argument(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps, …")
    parser.add_argument("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 for all.")
    parser.add_argument("--port", type=int, default=7860, help="0 takes a free one.")
    parser.add_argument(
        "--queue", type=int, default=16, help="Photographs that wait at most; others are sent away."
    )
    parser.add_argument("--megapixels", type=float, default=64.0, help="Of a result at most.")
    parser.add_argument("--upload_megabytes", type=int, default=50, help="Of a photograph's file at most.")


def run(options: Namespace) -> int:
    """Serve until interrupted."""
    if options.queue < 1:
        raise ValueError(f"--queue must be at least 1, not {options.queue}.")
    page = build(options)
    page.launch(
        server_name=options.host,
        server_port=options.port or None,
        max_file_size=f"{options.upload_megabytes}mb",
        share=False,
    )
    return 0


def build(options: Namespace) -> Any:
    """The page, with its queue; not launched yet.

    Raises:
        ValueError: Gradio is not installed, or a model cannot be opened.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    try:
        import gradio
    except ImportError as error:
        raise ValueError("demo needs a package that is not installed: pip install 'vosr[demo]'.") from error
    from vosr.inference import Restorer

    restorers = {
        name: Restorer.from_pretrained(name, options.device, trust_remote_code=options.trust_remote_code)
        for name in options.model
    }
    restore = restoring(restorers, options.megapixels * 1e6)

    def answer(photo: str | None, model: str, scale: float) -> tuple[Image.Image, Image.Image]:
        try:
            return restore(photo, model, scale)
        except ValueError as error:
            raise gradio.Error(str(error)) from error

    with gradio.Blocks(title="VOSR") as page:
        gradio.Markdown("# Restore a photograph")
        with gradio.Row():
            with gradio.Column():
                photo = gradio.File(file_types=["image"], label="Photograph")  # gradio.Image opens any format
                model = gradio.Dropdown(list(restorers), value=options.model[0], label="Model")
                scale = gradio.Slider(1.0, LARGEST_SCALE, 4.0, step=0.5, label="Enlargement")
                button = gradio.Button("Restore", variant="primary")
            result = gradio.ImageSlider(type="pil", image_mode=None, format="png", label="Before and after")
        button.click(answer, [photo, model, scale], result, api_name="restore", concurrency_limit=1)
    return page.queue(max_size=options.queue)


def restoring(restorers: "dict[str, Restorer]", most_pixels: float) -> Restore:
    """What answers a request: (file, model, scale) -> the photograph enlarged, and restored.

    It raises ValueError where a request cannot be answered, whatever a file holds; the next one is none the worse.
    """

    def restore(photo: str | None, model: str, scale: float) -> tuple[Image.Image, Image.Image]:
        if photo is None:
            raise ValueError("There is no photograph yet.")
        if model not in restorers or not 1 <= scale <= LARGEST_SCALE:
            raise ValueError(
                f"The model is one of {', '.join(restorers)}, the enlargement 1 to {LARGEST_SCALE:g}."
            )
        try:
            with Image.open(photo, formats=PILLOW_READS) as opened:
                width, height = opened.size
                if width * height * scale**2 > most_pixels:
                    raise ValueError(
                        f"{width} x {height} enlarged {scale:g} times is over {most_pixels / 1e6:g} megapixels."
                    )
                image = ImageOps.exif_transpose(opened)
                image.load()
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's, for damaged files
            raise ValueError("This is no image that can be read.") from error
        restored = restorers[model](image, scale=scale)
        return image.resize(restored.size, Image.Resampling.BICUBIC).convert(restored.mode), restored

    return restore
