"""Range headers of a web server's answer."""

import re
from collections.abc import Mapping

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(?:\d+|\*)")


def body_length(status: int, headers: Mapping[str, str], first: int) -> int | None:
    """Bytes that follow byte ``first`` of a file in the answer to a request for them; None where it is not given.

    Args:
        status: 200 (the whole file, whose first bytes are to be passed over) or 206 (a part).
        headers: of the answer.
        first: the first byte that was asked for.

    Raises:
        OSError: the answer begins at another byte.
    """
    length = headers.get("Content-Length") or ""
    size = int(length) if length.isascii() and length.isdecimal() and len(length) < 20 else None
    if status != 206:
        if size is not None and size < first:
            raise OSError(f"the file has {size} bytes now, {first} of which were read before")
        return None if size is None else size - first
    given = _RANGE.fullmatch((headers.get("Content-Range") or "").strip())
    if given is None or int(given[1]) != first:
        raise OSError(
            f"asked for the bytes from {first} on, the server sent {headers.get('Content-Range') or 'an unknown part'}"
        )
    return int(given[2]) + 1 - first
