"""Rights: the patterns that somebody may subscribe to, publish to, delete and cancel, inside one tenant."""

from collections.abc import Iterable
from typing import NamedTuple

from tailrace_protocol.patterns import contains_pattern


class Rights(NamedTuple):
    """What may be done inside one tenant. Each is a list of patterns; none of them by default."""

    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()


def covers(granted: Iterable[str], asked: str) -> bool:
    """Return whether one of the patterns granted contains the pattern or topic asked for.

    What only several of them contain together is not covered.
    """
    return any(contains_pattern(pattern, asked) for pattern in granted)
