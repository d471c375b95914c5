"""Checks of constructor arguments."""


def check_range(name: str, bounds: tuple[float, float], above: float | None = None) -> None:
    """Refuse a range that is no range.

    Args:
        name: of the argument.
        bounds: low, high.
        above: a bound that the low end must exceed.

    Raises:
        ValueError: low exceeds high, or does not exceed ``above``.
    """
    low, high = bounds
    if low > high or (above is not None and low <= above):
        limit = "" if above is None else f"{above:g} < "
        raise ValueError(f"{name} must be {limit}low <= high, not {tuple(bounds)}.")


def check_probability(name: str, value: float) -> None:
    """Refuse a probability outside 0 to 1.

    Raises:
        ValueError: it is one.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be within 0 to 1, not {value}.")
