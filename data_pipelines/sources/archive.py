"""A tar archive over any stream; damage, cut ends and bombs are errors."""

import tarfile
from collections.abc import Iterator

from data_pipelines.safety.counted import CountedStream
from data_pipelines.safety.places import is_remote
from data_pipelines.safety.tar import members, open_tar
from data_pipelines.sources.transport import open_url


class Archive:
    """Members of a tar archive, one after the other.

    Args:
        url: path or URL; compressed archives are recognised.

    Raises:
        OSError: it cannot be opened.
        tarfile.TarError: it is no tar archive.
    """

    def __init__(self, url: str) -> None:
        self._stream = open_url(url)
        self._bytes = CountedStream(self._stream)
        try:
            if url.endswith(".tar") and not is_remote(
                url
            ):  # seekable: members are passed over without reading
                self._tar = open_tar(self._stream, "r:")
                self._compressed = False
            else:
                self._tar = open_tar(self._bytes, "r|*")  # type: ignore[arg-type]
                self._compressed = True
        except BaseException:
            self._stream.close()
            raise

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        """Regular files; hidden ones and those of tools (``.x``, ``__x``) are passed over.

        Raises:
            tarfile.ReadError: the archive is damaged or ends without its end mark.
        """
        for member in members(self._tar):
            if self._compressed:
                self._bytes.check_growth(member.offset)
            yield member

    def read(self, member: tarfile.TarInfo) -> bytes:
        """Content of the member that the iteration stands at."""
        source = self._tar.fileobj  # directly: extractfile() costs more than reading a small image
        source.seek(member.offset_data)
        data = source.read(member.size)
        if len(data) < member.size:
            raise tarfile.ReadError("it is truncated")
        return data

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._stream.close()
