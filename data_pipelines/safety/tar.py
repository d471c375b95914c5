"""Tar archives whose headers are believed only where they make sense.

Python's ``tarfile`` takes a damaged header between two members for the end of the archive, allocates what a header
says, and reads for ever where it says enough. Here every archive either ends with its end mark or with an error.
"""

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from vosr.core.files.regular import MOST_BYTES
from vosr.core.files.shown import reason

MOST_RECORD = 2**20
"""Bytes of a header that goes on behind its block (long names, PAX records)."""
_CONTINUED = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_END: Any = tarfile.EOFHeaderError  # type: ignore[attr-defined]
_EMPTY: Any = (tarfile.EmptyHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]


class CheckedHeader(tarfile.TarInfo):
    """A member's header; one that makes no sense is an error, not the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> "CheckedHeader":
        """The header at the archive's position.

        Raises:
            tarfile.ReadError: it is damaged or cut off, or the archive ends without its end mark.
        """
        try:
            return super().fromtarfile(archive)
        except _END:
            archive.ended = True
            raise
        except _EMPTY as error:
            raise tarfile.ReadError("it is truncated" if archive.offset else "it is empty") from error
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"damaged header at byte {archive.offset} ({error})") from error

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "CheckedHeader":
        """A header of 512 bytes.

        Raises:
            tarfile.ReadError: its size is negative or too large, or it is a sparse file.
        """
        header = super().frombuf(buf, encoding, errors)
        check_size(header)
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("sparse members are not read")
        return header

    def _proc_gnusparse_10(self, *_: Any) -> None:
        """PAX's form of a sparse file: its map would be read before anything is known of it."""
        raise tarfile.ReadError("sparse members are not read")


def check_size(header: tarfile.TarInfo) -> None:
    """Refuse the size that a header gives.

    Raises:
        tarfile.ReadError: it is negative, or more than is ever read of a member of its kind.
    """
    most = MOST_RECORD if header.type in _CONTINUED else MOST_BYTES
    if not 0 <= header.size <= most:
        raise tarfile.ReadError(f"a header gives a size of {header.size} bytes, not of 0 to {most}")


def open_tar(stream: BinaryIO, mode: str) -> tarfile.TarFile:
    """Open an archive for :func:`members`.

    Args:
        stream: of bytes; closed by the caller.
        mode: "r:" for a seekable stream, "r|*" for any, compressed or not.

    Raises:
        tarfile.TarError: it is no tar archive.
        OSError: the stream fails.
    """
    try:
        return tarfile.open(fileobj=stream, mode=mode, tarinfo=CheckedHeader)  # type: ignore[call-overload]
    except (tarfile.TarError, OSError):
        raise
    except Exception as error:  # decompressors have kinds of their own
        raise tarfile.ReadError(reason(error)) from error


def members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Regular files of an archive, one after the other; links, devices and hidden files (``.x``, ``__x``) are left out.

    Raises:
        tarfile.ReadError: the archive is damaged, or ends without its end mark.
        OSError: the stream fails.
    """
    while (member := _next(tar)) is not None:
        tar.members = []  # type: ignore[attr-defined]  # else every member is kept for ever
        check_size(member)  # a PAX record may have replaced it
        if member.isreg() and not member.name.rpartition("/")[2].startswith((".", "__")):
            yield member
    if not getattr(tar, "ended", False):
        raise tarfile.ReadError("it is truncated")


def _next(tar: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return tar.next()
    except (tarfile.TarError, OSError):
        raise
    except Exception as error:  # thousands of nested records, numbers beyond a file's range, decompressors
        raise tarfile.ReadError(reason(error)) from error
