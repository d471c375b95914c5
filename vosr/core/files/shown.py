"""Text from outside (names of files, members, models; what a library says of them) as one may print it."""

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters (C0 without tab and newline, C1), invisible ones, those that turn the direction of writing, and
surrogates, which stand for bytes of a file name that are no UTF-8."""


def shown(text: object) -> str:
    r"""``str(text)`` with hidden characters made visible; the result is encodable and moves no cursor.

    Example:
        >>> shown("a\x1b[31m\udcff.png")
        'a\\x1b[31m\\xff.png'
    """
    return _HIDDEN.sub(_escaped, str(text))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # Python's surrogateescape: the byte itself
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def reason(error: BaseException) -> str:
    """What an exception says, in words: one line without a full stop, and its kind where it says too little."""
    message = " ".join(shown(error).split()).rstrip(".")
    if isinstance(error, OSError) and error.strerror:
        message = error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, ValueError) and len(message) > 3:
        return message
    if (
        len(message) > 3
        and isinstance(error, OSError | RuntimeError)
        and not isinstance(error, RecursionError)
    ):
        return message
    return f"it is damaged or of an unknown kind ({type(error).__name__}{f': {message}' if message else ''})"
