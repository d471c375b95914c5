"""The slider between two images on an HTML page."""

import os
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import quote

_STAGE = Template("""<div class="stage" style="--w:$width;--h:$height">
<img class="before" src="$before" alt="$name, $left" width="$width" height="$height" loading="lazy">
<img class="after" src="$after" alt="$name, $right" width="$width" height="$height" loading="lazy">
<span class="left">$left</span><span class="right">$right</span>
<div class="handle"></div>
<input type="range" min="0" max="100" step="0.1" value="50" aria-label="$name: share of the $left that is shown">
</div>""")


def slider_style() -> str:
    """CSS of all sliders of a page."""
    return files("vosr.imaging").joinpath("slider.css").read_text().rstrip()


def slider_script() -> str:
    """JavaScript of all sliders of a page, for its end."""
    return files("vosr.imaging").joinpath("slider.js").read_text().rstrip()


def slider(name: str, size: tuple[int, int], before: tuple[str, str], after: tuple[str, str]) -> str:
    """HTML of one slider.

    Args:
        name: of the image, as text.
        size: width and height in pixels.
        before: label and address, already escaped for an attribute, of the image on the left.
        after: of the one on the right.
    """
    return _STAGE.substitute(
        name=escape(name),
        width=size[0],
        height=size[1],
        left=escape(before[0]),
        before=before[1],
        right=escape(after[0]),
        after=after[1],
    )


def page_url(path: str) -> str:
    """Address of a file, relative to the page, as an HTML attribute holds it."""
    return escape(quote(os.fsencode(path)))
