"""Recognises what was packed before: the same bytes, or nearly the same image."""

import itertools


class Duplicates:
    """Memory of packed samples.

    Near duplicates are looked up by the pigeonhole principle: of ``bits + 1`` bands of the hash, at least
    one is equal between two hashes that differ in at most ``bits`` bits. So nothing is missed and few are
    compared.

    Args:
        exact: whether equal checksums count.
        bits: hashes that differ in no more bits count as the same image; None looks at checksums only.
    """

    def __init__(self, exact: bool, bits: int | None) -> None:
        self.exact = exact
        self.bits = bits
        self._checksums: set[str] = set()
        self._bands: dict[tuple[int, int], list[int]] = {}

    def reason(self, checksum: str, fingerprint: int) -> str | None:
        """Why the sample is a duplicate of an earlier one, or None."""
        if self.exact and checksum in self._checksums:
            return "duplicate"
        if self.bits is not None and self._near(fingerprint, self.bits):
            return "near_duplicate"
        return None

    def remember(self, checksum: str, fingerprint: int) -> None:
        """Take a sample into memory."""
        if self.exact:
            self._checksums.add(checksum)
        if self.bits is not None:
            for band in self._split(fingerprint, self.bits):
                self._bands.setdefault(band, []).append(fingerprint)

    def _near(self, fingerprint: int, bits: int) -> bool:
        return any(
            (fingerprint ^ other).bit_count() <= bits
            for band in self._split(fingerprint, bits)
            for other in self._bands.get(band, ())
        )

    @staticmethod
    def _split(fingerprint: int, bits: int) -> list[tuple[int, int]]:
        edges = [64 * i // (bits + 1) for i in range(bits + 2)]
        return [(lo, (fingerprint >> lo) & ((1 << (hi - lo)) - 1)) for lo, hi in itertools.pairwise(edges)]
