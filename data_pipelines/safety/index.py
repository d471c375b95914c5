"""Checksums that an index keeps of what it names."""

import hashlib
from typing import BinaryIO


def checksum(file: BinaryIO) -> str:
    """SHA-256 of what a file holds from its position on."""
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()
