"""Values found by rank 0 and shared with every rank."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")
TALK_TIMEOUT = timedelta(minutes=10)
"""How long ranks wait for the first to look at the sources."""


def as_first_rank(find: Callable[[], T]) -> T:
    """Result of ``find`` on rank 0, on every rank: each has its own view of the disk.

    Raises:
        ValueError: on every rank where ``find`` raises it on rank 0; one that fails alone leaves the others waiting.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return find()
    news: list[Any] = [None]
    if dist.get_rank() == 0:
        try:
            news = [find()]
        except ValueError as error:
            news = [error]
    group: Any = dist.new_group(backend="gloo", timeout=TALK_TIMEOUT)
    dist.broadcast_object_list(news, src=0, group=group)
    if isinstance(news[0], ValueError):
        raise news[0]
    found: T = news[0]
    return found
