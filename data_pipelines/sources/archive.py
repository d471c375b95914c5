"""A tar archive over any stream, which notices when its end is missing."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from data_pipelines.sources.transport import is_remote, open_url


class _Counted:
    """Counts the bytes that ``tarfile`` reads, and looks at the first ones."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.received = 0
        self.compressed = False

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        if self.received == 0:
            self.compressed = data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ"))
        self.received += len(data)
        return data


class Archive:
    """Members of a tar archive, one after the other.

    Python's ``tarfile`` takes an archive that was cut off between two members for a whole one. This class
    wants the end mark.

    Args:
        url: path or URL; compressed archives are recognised.

    Raises:
        OSError: it cannot be opened.
        tarfile.TarError: it is no tar archive.
    """

    def __init__(self, url: str) -> None:
        self._stream = open_url(url)
        self._bytes = _Counted(self._stream)
        try:
            if url.endswith(".tar") and not is_remote(
                url
            ):  # seekable: members are passed over without reading
                self._bytes.received = Path(url.removeprefix("file://")).stat().st_size
                self._tar = tarfile.open(fileobj=self._stream, mode="r:")  # noqa: SIM115
            else:
                self._tar = tarfile.open(fileobj=self._bytes, mode="r|*")  # type: ignore[call-overload]  # noqa: SIM115
        except BaseException:
            self._stream.close()
            raise

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Regular files; hidden ones and those of tools (``.x``, ``__x``) are passed over.

        Raises:
            tarfile.ReadError: the archive is damaged or ends without its end mark.
        """
        while (member := self._tar.next()) is not None:
            self._tar.members = []  # type: ignore[attr-defined]  # else every member is kept for ever
            if member.isfile() and not member.name.rpartition("/")[2].startswith((".", "__")):
                yield member
        if not self._bytes.compressed and self._bytes.received < self._tar.offset + tarfile.BLOCKSIZE:
            raise tarfile.ReadError("archive is truncated")

    def read(self, member: tarfile.TarInfo) -> bytes:
        """Content of the member that the iteration stands at."""
        source = self._tar.fileobj  # directly: extractfile() costs more than reading a small image
        source.seek(member.offset_data)
        data = source.read(member.size)
        if len(data) < member.size:
            raise tarfile.ReadError("archive is truncated")
        return data

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._stream.close()
