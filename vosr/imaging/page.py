"""HTML pages that show images under sliders: one file that needs no network."""

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

from vosr.imaging.slider import slider_script, slider_style


def html_page(package: str, name: str, title: str, parts: Mapping[str, str]) -> str:
    """A whole page, of the package's files ``name.html`` (the body), ``name.css`` and, if there is one, ``name.js``.

    Args:
        package: dotted name of the package that holds the files.
        name: of the files.
        title: as text.
        parts: HTML for the other placeholders of the body, which has a checkbox ``actual`` for actual size.
    """
    body, style = (files(package).joinpath(f"{name}{end}").read_text("utf-8") for end in (".html", ".css"))
    script = files(package).joinpath(f"{name}.js")
    template = Template(files("vosr.imaging").joinpath("page.html").read_text("utf-8"))
    return template.substitute(
        title=escape(title),
        body=Template(body).substitute(parts, title=escape(title)).rstrip(),
        style=style + slider_style(),
        script=slider_script() + ("\n" + script.read_text("utf-8").rstrip() if script.is_file() else ""),
    )
