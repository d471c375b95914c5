"""Checks of constructor arguments."""

from collections.abc import Sequence


def check_range(
    name: str, bounds: tuple[float, float], above: float | None = None, least: float | None = None
) -> None:
    """Refuse a range that is no range.

    Args:
        name: of the argument.
        bounds: low, high.
        above: a bound that the low end must exceed.
        least: a bound that the low end may reach.

    Raises:
        ValueError: low exceeds high or its bound, or one of them is not a number.
    """
    low, high = bounds
    fits = (above is None or low > above) and (least is None or low >= least)
    if not (fits and low <= high):
        limit = f"{above:g} < " if above is not None else f"{least:g} <= " if least is not None else ""
        raise ValueError(f"{name} must be {limit}low <= high, not {tuple(bounds)}.")


def check_probability(name: str, value: float) -> None:
    """Refuse a probability outside 0 to 1.

    Raises:
        ValueError: it is one.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be within 0 to 1, not {value}.")


def check_shares(name: str, values: Sequence[float]) -> None:
    """Refuse relative frequencies that cannot be drawn from.

    Raises:
        ValueError: one is negative, or none is positive.
    """
    if not (all(value >= 0 for value in values) and sum(values) > 0):
        raise ValueError(f"{name} must not be negative, and one must be positive, not {tuple(values)}.")
