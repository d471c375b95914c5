"""Entry-point groups that look like ours and are none: their plug-ins would be passed over without a word."""

import difflib
import logging
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points

from vosr.core.files.shown import shown

log = logging.getLogger(__name__)

PREFIX = "vosr."


@cache
def warn_of_unknown_groups(kinds: tuple[str, ...]) -> None:
    """Name every installed group ``vosr.…`` that is of no kind, once a process."""
    for message in unknown_groups(kinds, entry_points().groups):
        log.warning(message)


def unknown_groups(kinds: Iterable[str], groups: Iterable[str]) -> list[str]:
    """A sentence for each group that begins as ours do and is of none of ``kinds``."""
    known = {f"{PREFIX}{kind}" for kind in kinds}
    messages = []
    for group in sorted(set(groups) - known):
        if group.startswith(PREFIX):
            near = difflib.get_close_matches(group, sorted(known), n=1, cutoff=0.5)
            hint = (
                f" Did its author mean {near[0]!r}?" if near else f" Groups are {', '.join(sorted(known))}."
            )
            messages.append(f"Plug-ins in the entry-point group {shown(group)!r} are not read.{hint}")
    return messages
