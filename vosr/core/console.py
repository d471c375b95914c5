"""The terminal: what is printed is text, never markup, and moves no cursor."""

from typing import Any

from rich.console import Console
from rich.text import Text

from vosr.core.files.shown import shown


class PlainConsole(Console):
    """A console for text from outside: no markup, no emoji codes, hidden characters visible, lines not broken.

    Args:
        stderr: write to standard error.
    """

    def __init__(self, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, *args: Any, **kwargs: Any) -> Text:
        """``text`` as it may be shown."""
        return super().render_str(shown(text), *args, **kwargs)


def labelled(label: str, width: int, text: object) -> Text:
    """A line with its first words in bold."""
    return Text.assemble((f"{label:{width}}", "bold"), shown(text))
