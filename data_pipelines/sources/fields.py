"""Names of files: which are images, which are passed over, what forms one sample, and which member is what."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from data_pipelines.failures import ImageError, Reason
from vosr.imaging.formats import SUFFIXES

KeyRule = Literal["sample", "file"]
"""What forms a sample: consecutive files whose names agree up to the first dot (WebDataset), or each file."""

IMAGE_TYPES = frozenset(suffix[1:] for suffix in SUFFIXES)
_SIDE_FOLDERS = ("@eaDir", "__MACOSX")


class AmbiguousError(ValueError):
    """A sample has several images that no rule tells apart."""


def is_image(kind: str) -> bool:
    """Whether a member of this type ("png", "hq.png") is an image."""
    return kind.rpartition(".")[2] in IMAGE_TYPES


def is_side_file(name: str) -> bool:
    """Whether a path is hidden or made by a tool: ``.x``, ``._x``, ``__x__``, ``@eaDir/x``."""
    *folders, base = name.removeprefix("./").split("/")
    hidden = base.startswith((".", "__")) or any(part.startswith(".") and part != ".." for part in folders)
    return hidden or any(part in _SIDE_FOLDERS for part in folders)


def split_key(name: str, rule: KeyRule = "sample") -> tuple[str, str]:
    """Key and type of a file: "a/0001.hq.png" is "hq.png" of "a/0001", or by the rule "file" "png" of "a/0001.hq"."""
    folder, slash, base = name.rpartition("/")
    stem, _, kind = base.partition(".") if rule == "sample" else base.rpartition(".")
    return (folder + slash + stem, kind.lower()) if stem else (name, "")


def suffix_of(name: str) -> str:
    """Lower-case file type of a path."""
    return PurePosixPath(name).suffix[1:].lower()


@dataclass(frozen=True)
class Fields:
    """Which member of a sample is the clean image, and which the degraded one.

    Args:
        hq: first part of the member's type: "hq" takes ``0001.hq.png``, "png" takes ``0001.png``. None takes the
            first of ``hq.*``, ``gt.*`` and the one image whose type has no further part.
        lq: likewise for the degraded image; None has none.
    """

    hq: str | None = None
    lq: str | None = None

    def pick(self, kinds: Collection[str]) -> tuple[str, str | None]:
        """Types of the clean and of the degraded image among ``kinds``.

        Raises:
            AmbiguousError: several images, none of which is named.
            ImageError: one of them is not there.
        """
        images = [kind for kind in kinds if is_image(kind)]
        clean = _named(images, self.hq) if self.hq is not None else _default(images)
        degraded = None if self.lq is None else _named(images, self.lq)
        return clean, degraded


def _default(images: list[str]) -> str:
    for name in ("hq", "gt"):
        if any(_matches(kind, name) for kind in images):
            return _named(images, name)
    plain = [kind for kind in images if "." not in kind] or images
    return _only(plain, "no image in the sample")


def _named(images: list[str], name: str) -> str:
    return _only([kind for kind in images if _matches(kind, name)], f"no image {name}.* in the sample")


def _only(found: list[str], missing: str) -> str:
    if len(found) > 1:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise AmbiguousError(f"{len(found)} images ({', '.join(found[:4])}{more})")
    if not found:
        raise ImageError(Reason.NO_IMAGE, missing)
    return found[0]


def _matches(kind: str, name: str) -> bool:
    return kind == name or kind.startswith(f"{name}.")
