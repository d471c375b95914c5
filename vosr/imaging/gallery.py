"""Pages to look through a folder of comparisons with a slider: files beside the images, no network, no server."""

import io
import os
from collections.abc import Iterable, Iterator
from functools import partial
from html import escape
from pathlib import Path
from string import Template

from PIL import Image

from vosr.core.files.atomic import write_atomically
from vosr.imaging.comparison import Compared
from vosr.imaging.names import fitting
from vosr.imaging.page import html_page
from vosr.imaging.side_by_side import side_by_side
from vosr.imaging.slider import page_url, slider
from vosr.imaging.writing import write_image

PER_PAGE = 24
_BEFORE, _AFTER, _TABLEAU = ".before.webp", ".after.webp", ".png"
MARKS = len(_BEFORE)
"""Bytes by which names of files here are longer than those of the results."""
_QUALITY = 90
_FIGURE = Template("""<figure>
$slider
<figcaption>$name · <a href="$tableau">side by side</a> · <a href="$result">result</a></figcaption>
</figure>""")


def write_comparison(compared: Compared, path: Path) -> None:
    """Write the before-and-after image to ``path`` (.png), and beside it the two previews that pages show.

    Raises:
        OSError: a file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for preview, suffix in ((compared.before, _BEFORE), (compared.after, _AFTER)):
        encoded = io.BytesIO()
        Image.fromarray(preview).save(encoded, "WEBP", quality=_QUALITY)
        write_atomically(path.with_suffix(suffix), partial(Path.write_bytes, data=encoded.getvalue()))
    write_image(side_by_side(compared), path)


def write_gallery(folder: Path, results: Path) -> Path | None:
    """Write pages for all comparisons below ``folder``, whichever run made them; the first is ``index.html``.

    Args:
        folder: of the comparisons.
        results: folder that the result of ``folder/a/b.png.png`` lies in as ``a/b.png``.

    Returns:
        The first page; None where there is nothing to show.
    """
    for number, (names, more) in enumerate(_pages(_names(folder))):
        links = [_link(number - 1, "Previous")] if number else []
        links += [_link(number + 1, "Next")] if more else []
        title = "Before and after" + (f", page {number + 1}" if links else "")
        figures = "\n".join(_figure(folder, results, name) for name in names)
        parts = {"navigation": " ".join(links), "figures": figures}
        text = html_page("vosr.imaging", "gallery", title, parts)
        write_atomically(folder / _page(number), partial(Path.write_text, data=text, encoding="utf-8"))
    first = folder / _page(0)
    return first if first.exists() else None


def _names(folder: Path) -> Iterator[str]:
    """Comparisons below a folder, relative, without suffix, in the order of names."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(_AFTER):
                yield (Path(place) / name.removesuffix(_AFTER)).relative_to(folder).as_posix()


def _pages(names: Iterable[str]) -> Iterator[tuple[list[str], bool]]:
    """Names of each page, and whether another follows."""
    page: list[str] = []
    for name in names:
        if len(page) == PER_PAGE:
            yield page, True
            page = []
        page.append(name)
    if page:
        yield page, False


def _page(number: int) -> str:
    return f"page_{number + 1}.html" if number else "index.html"


def _link(number: int, text: str) -> str:
    return f'<a href="{_page(number)}">{text}</a>'


def _figure(folder: Path, results: Path, name: str) -> str:
    with Image.open(folder / (name + _AFTER), formats=("WEBP",)) as preview:
        width, height = preview.size
    result = Path(os.path.relpath(_result(results, Path(name)), folder))
    shown = name.encode("utf-8", "replace").decode()
    return _FIGURE.substitute(
        name=escape(shown),
        slider=slider(
            shown,
            (width, height),
            ("input", page_url(name + _BEFORE)),
            ("restored", page_url(name + _AFTER)),
        ),
        tableau=page_url(name + _TABLEAU),
        result=page_url(result.as_posix()),
    )


def _result(results: Path, name: Path) -> Path:
    """The result that a comparison shows; where its name had to be shortened, the one whose name becomes that."""
    found = results / name
    if "~" in name.name and not found.exists() and found.parent.is_dir():
        same = (each for each in found.parent.iterdir() if fitting(each.name, MARKS) == name.name)
        return next(same, found)
    return found
