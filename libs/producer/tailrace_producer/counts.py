"""Counts of a job, as they have to be."""

import math

from tailrace_protocol.errors import InvalidData


def check_finite(number: float) -> float:
    """Return `number` as it is.

    Raises:
        InvalidData: it is none, or not finite: JSON cannot carry it.
    """
    try:
        if math.isfinite(number):
            return number
    except (TypeError, OverflowError):
        pass
    raise InvalidData(f"{number!r} is not a finite number, as the counts of a job have to be")


def check_total(number: float) -> float:
    """Return `number` as it is.

    Raises:
        InvalidData: it is negative, none, or not finite.
    """
    if check_finite(number) < 0:
        raise InvalidData(f"{number!r} is no total: it must not be negative; None says that nobody knows it")
    return number


def simplify(number: float) -> float:
    """Return what JSON can carry of a Fraction, a Decimal, a numpy number or a very large integer."""
    if type(number) is int and abs(number) < 1 << 63:
        return number
    return float(number)
