"""One file of the hub: looked up, continued where it was broken off, compared with its checksum."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from vosr.core.hub.failures import BrokenDownloadError, HubError, NotOnHubError, nearest, told_apart

Progress = Callable[[int, int], None]
"""Bytes that are there, and bytes in all."""
TRIES = 3
"""Times that a broken connection is taken up again."""


@dataclass(frozen=True)
class Remote:
    """A file as the hub describes it.

    Attributes:
        url: where its bytes are; a signed one on another host for large files.
        etag: SHA-256 of large files, SHA-1 of git's blob for small ones.
        size: in bytes.
    """

    url: str
    etag: str
    size: int


def endpoint() -> str:
    """Address of the hub: ``$HF_ENDPOINT`` or https://huggingface.co."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def cached(repo: str, file: str) -> Path | None:
    """The file in the cache of the hub's own client, where other programs have put it."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repo, file)
    except HFValidationError:  # no name that a repository could have
        return None
    return Path(found) if isinstance(found, str) else None


def files_of(repo: str) -> list[str]:
    """Paths of all files in a repository.

    Raises:
        HubError: why they cannot be listed.
    """
    from huggingface_hub import HfApi

    with told_apart(endpoint(), repo):
        return list(HfApi(endpoint=endpoint()).list_repo_files(repo))


def fetch(repo: str, file: str, target: Path, progress: Progress | None = None) -> Path:
    """Download a file to ``target``, which appears complete and verified or not at all.

    What is there of a broken download stays beside ``target`` and is continued.

    Args:
        repo: "owner/name".
        file: path in it.
        target: where it is put; folders are made.
        progress: called as bytes come in; by default a display on standard error.

    Raises:
        HubError: why it is not to be had.
    """
    from filelock import FileLock  # torch and the hub's client stand on it

    from vosr.core.hub.display import Downloads

    remote = look_up(repo, file)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{re.sub(r'[^0-9a-zA-Z]', '', remote.etag)[:16]}.part")
    with FileLock(f"{part}.lock"):  # several ranks may want it at once
        if target.is_file():
            return target
        with ExitStack() as shown:
            if progress is None:
                progress = shown.enter_context(shown.enter_context(Downloads()).file(target.name))
            _receive(repo, remote, part, progress)
        if not is_same(part, remote):
            part.unlink()
            raise BrokenDownloadError(f"what came of {file} is not what {repo} holds (checksum); try again")
        part.replace(target)
    Path(f"{part}.lock").unlink(missing_ok=True)
    return target


def look_up(repo: str, file: str) -> Remote:
    """What the hub says of a file.

    Raises:
        HubError: it says nothing, or has no such file; names the nearest ones.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        with told_apart(endpoint(), repo):
            found = get_hf_file_metadata(hf_hub_url(repo, file, endpoint=endpoint()), timeout=10)
    except NotOnHubError as error:
        if "no such file" not in str(error):
            raise
        raise NotOnHubError(f"the repository {repo} has no {file}.{_near(repo, file)}") from error
    if found.etag is None or found.size is None:
        raise HubError(f"{endpoint()} gives no checksum or size of {file}: it is no hub")
    return Remote(found.location, found.etag, found.size)


def is_same(path: Path, remote: Remote) -> bool:
    """Whether a file here has the size and the checksum of one of the hub."""
    from huggingface_hub.utils.sha import git_hash, sha_fileobj

    if path.stat().st_size != remote.size:
        return False
    if re.fullmatch("[0-9a-f]{64}", remote.etag):
        with path.open("rb") as file:
            return sha_fileobj(file).hex() == remote.etag
    if re.fullmatch("[0-9a-f]{40}", remote.etag):
        return bool(git_hash(path.read_bytes()) == remote.etag)
    return True  # a mirror with tags of its own


def _receive(repo: str, remote: Remote, part: Path, progress: Progress) -> None:
    from huggingface_hub.file_download import http_get

    for left in reversed(range(TRIES)):
        have = part.stat().st_size if part.is_file() else 0
        if have >= remote.size:
            progress(have, remote.size)
            return
        try:
            with part.open("ab") as file, _quiet(), told_apart(endpoint(), repo, remember=False):
                http_get(
                    remote.url,
                    _Counted(file, have, remote.size, progress),  # type: ignore[arg-type]
                    resume_size=have,
                    headers=_headers(remote.url),
                    expected_size=remote.size,
                )
            return
        except HubError as error:
            now = part.stat().st_size
            if left and now > have:
                continue
            if now == 0:
                raise
            raise BrokenDownloadError(
                f"the connection broke after {now / 1e6:.1f} of {remote.size / 1e6:.1f} MB; the same command goes on "
                "from there"
            ) from error


class _Counted:
    """A file that counts what is written; all that the hub's client does with one."""

    def __init__(self, file: BinaryIO, have: int, total: int, progress: Progress) -> None:
        self._file, self._have, self._total, self._progress = file, have, total, progress

    def write(self, data: bytes) -> int:
        count = self._file.write(data)
        self._have += count
        self._progress(self._have, self._total)
        return count

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def truncate(self) -> int:
        self._have = self._file.tell()
        return self._file.truncate()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the client's own bars."""
    from huggingface_hub import utils

    name = "huggingface_hub.http_get"
    enabled = not utils.are_progress_bars_disabled(name)  # type: ignore[attr-defined]
    if enabled:
        utils.disable_progress_bars(name)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if enabled:
            utils.enable_progress_bars(name)  # type: ignore[attr-defined]


def _headers(url: str) -> dict[str, str]:
    """With the user's token for the hub alone: signed addresses on other hosts must not see it."""
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = dict(build_hf_headers())
    if urlsplit(url).netloc != urlsplit(endpoint()).netloc:
        headers.pop("authorization", None)
    return headers


def _near(repo: str, file: str) -> str:
    try:
        return nearest(file, files_of(repo))
    except HubError:
        return ""
