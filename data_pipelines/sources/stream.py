"""Archives that cannot be indexed, through webdataset's pipeline: shards drawn with replacement, a shuffle buffer.

Every reader draws for itself, so none ever waits for another; which samples a resumed run sees is not determined.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import webdataset as wds

from data_pipelines.failures import BadDataError, Fault, Reason
from data_pipelines.safety.counted import CountedStream
from data_pipelines.sources.fetch import SourceError, open_stream
from data_pipelines.sources.fields import KeyRule
from data_pipelines.sources.shard import RawSample, shard_name
from data_pipelines.sources.tar import Bytes, tar_samples
from vosr.core.files.shown import reason

SHARDS_WITHOUT_SAMPLES = 20
"""Shards in a row that give nothing, after which a reader gives up."""
_OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}

Report = Callable[[Fault], None]


def endless(urls: tuple[str, ...], rule: KeyRule, shuffle: int, report: Report) -> Iterator[RawSample]:
    """Samples of ``urls`` without end.

    Args:
        urls: paths, URLs or pipes of tar archives, compressed or not.
        rule: what forms a sample.
        shuffle: samples in the shuffle buffer, kept compressed; 0 reads the archives in their order.
        report: called for archives that cannot be read, or not to their end.

    Raises:
        BadDataError: shard after shard gives nothing.
    """

    def expand(shards: Iterator[dict[str, str]]) -> Iterator[RawSample]:
        fruitless = 0
        for shard in shards:
            given = 0
            for sample in stream_samples(shard["url"], rule, report):
                given += 1
                yield sample
            fruitless = 0 if given else fruitless + 1
            if fruitless >= SHARDS_WITHOUT_SAMPLES:
                raise BadDataError(f"{fruitless} shards in a row without a sample, {shard['url']} the last.")

    if not shuffle:
        return iter(wds.DataPipeline(wds.SimpleShardList(list(urls)), expand).repeat())
    stages = (wds.ResampledShards(list(urls)), expand, wds.shuffle(shuffle, initial=min(shuffle, 100)))
    return iter(wds.DataPipeline(*stages))


def stream_samples(url: str, rule: KeyRule, report: Report) -> Iterator[RawSample]:
    """Samples of one archive, from first to last; damage goes to ``report``."""
    problems: list[str] = []
    try:
        with open_stream(url) as stream:
            for sample in tar_samples(Bytes(_unpacked(stream)), problems.append, rule, load=True):
                yield RawSample(f"{shard_name(url)}/{sample.key}", sample.members)
    except SourceError as error:
        report(Fault(error.reason, url, str(error)))
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        problems.append(reason(error))
    except Exception as error:  # whatever a store or a damaged archive makes of a library
        report(Fault(Reason.SHARD_UNREACHABLE, url, f"{url}: {reason(error)}"))
    if problems:
        report(Fault(Reason.SHARD_DAMAGED, url, f"{url}: {'; '.join(problems[:3])}"))


def _unpacked(stream: Any) -> Any:
    counted = CountedStream(stream)
    buffered = io.BufferedReader(counted)
    head = buffered.peek(8)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    return buffered if opener is None else _Unpacked(opener(buffered), counted)


class _Unpacked:
    """What a decompressor makes, as long as it does not grow beyond measure."""

    def __init__(self, stream: Any, packed: CountedStream) -> None:
        self._stream = stream
        self._packed = packed
        self._made = 0

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self._made += len(data)
        self._packed.check_growth(self._made)
        return data
