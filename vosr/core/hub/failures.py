"""What went wrong with the hub, in one clause: no network, no such name, no access, or the server itself."""

import difflib
import time
from collections.abc import Iterator
from contextlib import contextmanager

from vosr.core.files.shown import shown

REMEMBERED = 30.0
"""Seconds for which an unreachable hub is not asked again: several files are looked up one after another."""
CLIENTS = ("huggingface_hub", "httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")
"""Packages whose exceptions speak of the network."""
_unreachable: dict[str, float] = {}


class HubError(OSError):
    """A file that the hub does not give; the message is a clause that says why."""


class OfflineError(HubError):
    """The hub cannot be reached, or is not to be."""


class NotOnHubError(HubError):
    """No such repository or file."""


class ForbiddenError(HubError):
    """The hub refuses access."""


class ServerError(HubError):
    """The hub answers with an error of its own."""


class BrokenDownloadError(HubError):
    """The connection broke, or the bytes are not those that the hub announced."""


@contextmanager
def told_apart(endpoint: str, repo: str, remember: bool = True) -> Iterator[None]:
    """Turn the errors of the hub's client into those of this module.

    Args:
        endpoint: of the hub.
        repo: that is asked for.
        remember: take the hub for unreachable for a while once it is; not while a download goes on.

    Raises:
        HubError: one of its kinds.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OfflineError("HF_HUB_OFFLINE is set")
    if time.monotonic() - _unreachable.get(endpoint, -REMEMBERED) < REMEMBERED:
        raise OfflineError(f"{endpoint} cannot be reached")
    try:
        yield
    except HubError:
        raise
    except Exception as error:  # kinds of the HTTP client changed between versions of the hub's
        if not _of_client(error):
            raise
        known = _of_hub(error, endpoint, repo)
        if known is None and remember:
            _unreachable[endpoint] = time.monotonic()
        raise known or OfflineError(f"{endpoint} cannot be reached ({type(error).__name__})") from error


def nearest(name: str, names: list[str]) -> str:
    """A sentence with the names that are nearest, or the first ones."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or sorted(names)[:5]
    return f" Did you mean {', '.join(map(shown, near))}?" if near else ""


def _of_client(error: Exception) -> bool:
    """Whether an error is about the network or the hub, not about a file here (a full disk) or a mistake of ours."""
    if isinstance(error, OSError):
        return error.errno is None or isinstance(error, ConnectionError | TimeoutError)
    return type(error).__module__.partition(".")[0] in CLIENTS


def _of_hub(error: Exception, endpoint: str, repo: str) -> HubError | None:
    """What an answer of the hub means; None where there was none."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ForbiddenError(
            f"access to {repo} is granted on its page: accept its terms there, then `hf auth login`"
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return NotOnHubError(
            f"{endpoint} has no repository {shown(repo)!r}, or it is private and needs `hf auth login`"
        )
    if isinstance(error, errors.EntryNotFoundError):
        return NotOnHubError(f"the repository {repo} has no such file")
    if not isinstance(error, errors.HfHubHTTPError):
        return None
    status = error.response.status_code
    if status in (401, 403):
        return ForbiddenError(
            f"{endpoint} refuses access to {repo} ({status}); is a token needed (`hf auth login`)?"
        )
    if status == 429:
        return ServerError(f"{endpoint} has had too many requests from here ({status}); try again later")
    return ServerError(f"{endpoint} answers with an error of its own ({status}); try again later")
