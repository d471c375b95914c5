"""Bad data: the reasons why a sample or shard is left out, how they are counted, and when it is too much."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum


class Reason(str, Enum):
    """Why a sample was left out."""

    EMPTY = "empty_file"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED = "unsupported_kind"
    DAMAGED = "damaged_image"
    TOO_LARGE = "too_many_pixels"
    TOO_NARROW = "too_narrow"
    NO_IMAGE = "no_image_in_sample"
    UNEQUAL_PAIR = "unequal_pair"
    UNREADABLE_FILE = "unreadable_file"
    SHARD_MISSING = "shard_missing"
    SHARD_DAMAGED = "shard_damaged"
    SHARD_UNREACHABLE = "shard_unreachable"


class ImageError(ValueError):
    """An image that cannot be used, and why."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class BadDataError(ValueError):
    """So much of the data is unusable that training on the rest would be a surprise."""


class StalledError(TimeoutError):
    """A reading process that gives nothing any more."""


@dataclass(frozen=True)
class Fault:
    """One thing that was left out.

    Attributes:
        reason: why.
        where: file, shard or sample.
        detail: the reader's message.
        samples: how many samples are lost by it.
    """

    reason: Reason
    where: str
    detail: str = ""
    samples: int = 1


@dataclass
class Tally:
    """Counts of good and bad samples.

    Attributes:
        good: samples used.
        bad: samples left out, by reason.
        examples: a few faults per reason, for the report.
    """

    good: int = 0
    bad: Counter[Reason] = field(default_factory=Counter)
    examples: dict[Reason, list[str]] = field(default_factory=dict)

    def add(self, good: int, faults: list[Fault]) -> None:
        """Count a batch's worth of news."""
        self.good += good
        for fault in faults:
            self.bad[fault.reason] += fault.samples
            shown = self.examples.setdefault(fault.reason, [])
            if len(shown) < 3 and fault.where not in shown:
                shown.append(fault.where)

    @property
    def bad_share(self) -> float:
        """Samples left out, as a share of all seen."""
        bad = self.bad.total()
        return bad / (bad + self.good) if bad else 0.0

    def report(self) -> str:
        """One line: what was left out, why, and examples."""
        reasons = [
            f"{count} {reason.value} (such as {', '.join(self.examples[reason])})"
            for reason, count in self.bad.most_common()
        ]
        return f"{self.bad.total()} of {self.bad.total() + self.good} samples unusable: " + "; ".join(reasons)
