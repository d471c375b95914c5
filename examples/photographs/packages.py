"""Debian packages that hold photographs, and which of their files are worth training on."""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".rgb")
LEFT_OUT = ("*baboon*", "*butterfly.*", "*lena*", "*/left[01]*", "*/right[01]*", "*_mask.*", "*opengraph*")
"""Images of the usual test sets (Set5's butterfly, Set14's baboon and Lena), so that no model has seen what it is
judged by; and what is no image to restore: masks, and thirty views of one chessboard."""


@dataclass(frozen=True)
class Package:
    """Images of one package.

    Attributes:
        name: Debian's.
        group: folder of shards that its tiles go to.
        licence: the package's own words, in short; its ``copyright`` file holds them all.
        files: patterns of paths in the package; * matches / too.
        over: grey level laid under transparent pixels; None leaves out tiles that have some.
    """

    name: str
    group: str
    licence: str
    files: tuple[str, ...]
    over: int | None = None

    def images(self, root: Path) -> list[Path]:
        """Files of the unpacked package that are wanted, the largest of each folder of copies only."""
        found = [
            path
            for path in sorted(root.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not path.is_symlink()
            and any(fnmatch(str(path.relative_to(root)), pattern) for pattern in self.files)
            and not any(fnmatch(str(path), pattern) for pattern in LEFT_OUT)
        ]
        copies: dict[Path, list[Path]] = {}
        for path in found:
            if path.stem.replace("x", "").isdigit():  # 1920x1080.jpg beside 2560x1600.jpg
                copies.setdefault(path.parent, []).append(path)
        dropped = {path for same in copies.values() for path in sorted(same, key=_bytes)[:-1]}
        return [path for path in found if path not in dropped]


def _bytes(path: Path) -> int:
    return path.stat().st_size


PACKAGES = (
    Package(
        "endless-sky-high-dpi",
        "photographs",
        "public domain, CC-BY-SA-3.0, CC-BY-SA-4.0",
        ("*/images/land/*", "*/images/scene/*"),
    ),
    Package(
        "lomiri-wallpapers-16.04", "photographs", "CC-BY-3.0, CC-BY-SA-3.0", ("usr/share/backgrounds/*",)
    ),
    Package("lomiri-wallpapers-20.04", "photographs", "CC-BY-SA-3.0", ("usr/share/backgrounds/*",)),
    Package("lxqt-themes", "photographs", "CC-BY-SA-3.0", ("usr/share/lxqt/wallpapers/*",)),
    Package("mate-backgrounds", "photographs", "GPL-2+", ("*/nature/*",)),
    Package("palapeli-data", "photographs", "GPL-2+", ("usr/share/palapeli/collection/*",)),
    Package("plasma-workspace-wallpapers", "photographs", "GPL-2+", ("*/contents/images/*",)),
    Package("ukui-wallpapers", "photographs", "CC-BY-SA-3.0", ("usr/share/backgrounds/*",)),
    Package("kphotoalbum", "photographs", "GPL-2+", ("*/kphotoalbum/demo/*",)),
    Package(
        "opencv-doc", "photographs", "Apache-2.0, BSD-3-Clause", ("*/examples/data/*", "*/examples/text/*")
    ),
    Package("torcs-data", "textures", "GPL-2+, Free Art", ("*/tracks/*",)),
    Package(
        "extremetuxracer-data", "textures", "GPL-2+", ("*/etr/terrains/*", "*/etr/textures/*", "*/env/*")
    ),
    Package("tuxpaint-stamps-default", "drawings", "GPL-2+, public domain", ("*/stamps/*",), over=255),
    Package("gimp-help-en", "screenshots", "GFDL-1.2+", ("*/help/en/images/*",), over=255),
)
