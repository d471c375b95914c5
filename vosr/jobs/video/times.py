"""When the images of a film are shown."""

from typing import Any


class Times:
    """Times as they are read, where they grow; else one step after the one before.

    Args:
        step: units from one image to the next.
    """

    def __init__(self, step: int) -> None:
        self._step = step
        self._last: int | None = None

    def following(self, time: int | None) -> int:
        """Time of the next image; ``time`` is what the film says, None where it says nothing."""
        if self._last is None:
            self._last = 0 if time is None else time
        else:
            self._last = time if time is not None and time > self._last else self._last + self._step
        return self._last


def step_of(video: Any) -> int:
    """Units of a video stream's time base from one image to the next, by its rate."""
    rate = video.guessed_rate or video.average_rate or 25
    return max(1, round(1 / (rate * video.time_base)))


def seconds_of(video: Any) -> float | None:
    """Length that a video stream itself announces; None where only the whole file does."""
    if video.duration:
        return float(video.duration * video.time_base)
    hours, _, rest = video.metadata.get("DURATION", "").partition(":")  # Matroska: 00:01:02.500000000
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return None
