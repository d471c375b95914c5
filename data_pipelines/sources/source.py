"""One source of a mixture: counted shards that are read by number, or a stream."""

import bisect
import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from data_pipelines.failures import ImageError
from data_pipelines.sources.encoding import StoredEncoding, encoding_of
from data_pipelines.sources.fields import AmbiguousError, Fields, KeyRule
from data_pipelines.sources.files import paired_shard
from data_pipelines.sources.locate import Located, locate
from data_pipelines.sources.shard import RawSample, Shard, TarShard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What is read as one.

    Attributes:
        name: what the user called it.
        weight: share of the samples drawn from it, relative to the other sources.
        shards: parts that are read by number; empty for a stream.
        streams: archives that are only read from their beginning.
        fields: which members are the images.
        rule: what forms a sample.
        encoding: how to read latents and tokens that stand for the images; None where there are images.
    """

    name: str
    weight: float
    shards: tuple[Shard, ...]
    streams: tuple[str, ...]
    fields: Fields
    rule: KeyRule = "sample"
    encoding: StoredEncoding | None = None

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(shard) for shard in self.shards))

    @property
    def samples(self) -> int | None:
        """Number of samples, None for a stream."""
        return None if self.streams else self._ends[-1]

    def read(self, number: int) -> RawSample:
        """Sample ``number``; see :meth:`data_pipelines.sources.shard.Shard.read`."""
        shard = bisect.bisect_right(self._ends, number)
        return self.shards[shard].read(number - (self._ends[shard - 1] if shard else 0))

    @cached_property
    def fingerprint(self) -> int:
        """Identity of the samples by names and counts, wherever they lie."""
        text = "\n".join([*(shard.identity() for shard in self.shards), *self.streams, self.rule])
        return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()[:6], "big")

    def counts(self) -> dict[str, int | None]:
        """Samples by archive or folder; None where nobody counted."""
        found: dict[str, int | None] = dict.fromkeys(self.streams)
        for shard in self.shards:
            found[shard.url] = (found.get(shard.url) or 0) + len(shard)
        return found


def find_source(
    names: Sequence[str],
    weight: float = 1.0,
    fields: Fields = Fields(),  # noqa: B008 (frozen)
    rule: KeyRule = "sample",
) -> Source:
    """Find a source, count it and look at the members of its samples.

    Args:
        names: of its parts, as :func:`data_pipelines.sources.locate.locate` takes them.
        weight: relative to the other sources.
        fields: which members are the images; ``lq`` may be a folder that pairs with a folder of clean images.
        rule: what forms a sample.

    Raises:
        ValueError: nothing is there, or a rule does not say which member is which.
    """
    title = ", ".join(names)
    found = Located()
    if fields.lq is not None and ("/" in fields.lq or Path(fields.lq).expanduser().is_dir()):
        if len(names) != 1:
            raise ValueError("A folder as data.lq pairs with one folder as data.train.")
        found.shards.append(paired_shard(Path(names[0]).expanduser(), Path(fields.lq).expanduser()))
        fields = Fields(None, "lq")
    else:
        for name in names:
            found.add(locate(name, rule))
    if found.streams:
        return _as_stream(title, weight, found, fields, rule)
    for shard in found.shards:
        if isinstance(shard, TarShard) and shard.damage:
            log.warning(
                "%s is damaged (%s): %d samples are left.", shard.url, "; ".join(shard.damage), len(shard)
            )
    whole = [shard for shard in found.shards if len(shard)]
    if not whole:
        damage = next(
            (s.damage for s in found.shards if isinstance(s, TarShard) and s.damage), ("they are empty",)
        )
        raise ValueError(f"The shards of {title!r} hold no readable sample: {'; '.join(damage)}.")
    found.shards = whole
    encoding = encoding_of(names[0]) if len(names) == 1 else None
    if encoding is None:
        look_at_members(title, found.shards, fields)
    return Source(title, weight, tuple(found.shards), (), fields, rule, encoding)


def _as_stream(title: str, weight: float, found: Located, fields: Fields, rule: KeyRule) -> Source:
    """A list with one archive that cannot be indexed is read as a stream as a whole."""
    if not all(isinstance(shard, TarShard) for shard in found.shards):
        raise ValueError(
            f"{title} mixes files of images with archives that cannot be indexed ({found.streams[0]}); give them as "
            "two sources with weights."
        )
    streams = (*(shard.url for shard in found.shards), *found.streams)
    return Source(title, weight, (), streams, fields, rule)


def look_at_members(title: str, shards: Sequence[Shard], fields: Fields) -> None:
    """Refuse samples whose images no rule tells apart, and log which images are not read."""
    unread: Counter[str] = Counter()
    usable, problem = 0, ""
    for shard in shards:
        for kinds, (count, example) in shard.kinds.items():
            try:
                chosen = fields.pick(kinds)
            except AmbiguousError as error:
                raise ValueError(
                    f"Sample {example!r} of {shard.url} has {error}, and no rule says which to train on: name one by "
                    "--data.hq (and its degraded partner by --data.lq), or take each file as a sample by "
                    "--data.key=file."
                ) from error
            except ImageError as error:
                problem = f"{count} samples of {shard.url}, such as {example!r}: {error}"
                continue
            usable += count
            unread.update({kind: count for kind in kinds if kind not in chosen})
    if not usable:
        raise ValueError(f"The shards of {title!r} hold no usable sample ({problem}).")
    for kind, count in unread.items():
        partner = "; --data.lq=lq would train on these pairs" if kind.startswith("lq.") else ""
        log.info("%s: %s of %d samples is not read%s.", title, kind, count, partner)
