"""Batches of images of one size."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_BUCKETS = 4
"""So many batches' worth of images wait for others of their size at most."""


class Batches(Generic[T]):
    """Collects items by a key into lists of ``size``.

    Where too many wait in incomplete lists, the list that has waited longest goes as it is.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._buckets: dict[Hashable, list[T]] = {}

    def add(self, key: Hashable, item: T) -> Iterator[list[T]]:
        """Take an item; gives the lists that are due."""
        group = self._buckets.setdefault(key, [])
        group.append(item)
        if len(group) == self._size:
            yield self._buckets.pop(key)
        while sum(map(len, self._buckets.values())) > _BUCKETS * (self._size - 1):
            yield self._buckets.pop(next(iter(self._buckets)))

    def rest(self) -> Iterator[list[T]]:
        """What is left at the end."""
        while self._buckets:
            yield self._buckets.pop(next(iter(self._buckets)))
