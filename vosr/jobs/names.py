"""Names of output files: one for each input, whatever they are called."""

from collections import Counter
from pathlib import Path

from vosr.imaging.formats import FORMATS, format_of
from vosr.imaging.names import fitting

SAME = "same"


def suffix_for(source: Path, form: str) -> str:
    """Suffix of the file that ``source`` becomes in the format called ``form``; "same" keeps what can be written."""
    if form != SAME:
        return FORMATS[form].suffixes[0]
    return source.suffix.lower() if format_of(source) is not None else FORMATS["png"].suffixes[0]


def output_names(sources: list[Path], form: str) -> list[str]:
    """File names for the images that go into one folder, in their order.

    ``a.jpg`` becomes ``a.png``. Images that would become the same file carry their own format in the name
    (``a_jpg.png``, ``a_tif.png``), every one of them, so that a name never depends on which was found first. Case is
    ignored, as some file systems do.
    """
    plain = [fitting(source.stem + suffix_for(source, form)) for source in sources]
    wanted = Counter(name.casefold() for name in plain)
    taken = {name.casefold() for name in plain if wanted[name.casefold()] == 1}
    names = []
    for source, name in zip(sources, plain):
        if wanted[name.casefold()] > 1:
            name = _free(f"{source.stem}_{source.suffix[1:].lower()}", suffix_for(source, form), taken)
            taken.add(name.casefold())
        names.append(name)
    return names


def _free(stem: str, suffix: str, taken: set[str]) -> str:
    name, number = fitting(stem + suffix), 1
    while name.casefold() in taken:
        number += 1
        name = fitting(f"{stem}_{number}{suffix}")
    return name
