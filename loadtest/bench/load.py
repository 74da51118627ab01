"""The load: which events are published how fast, the same for each contender."""

from collections.abc import Iterator
from itertools import accumulate
from random import Random

import msgspec

SEED = 1
"""Of the choice between groups of topics: each contender gets the same sequence."""


class Topics(msgspec.Struct, frozen=True):
    """Numbered topics that take turns: `<prefix>.<number>`, or `<prefix>.<number>.<suffix>`.

    Attributes:
        prefix: before the number.
        count: how many; the numbers begin at 0.
        share: of the events, relative to the other groups' share.
        suffix: after the number.
    """

    prefix: str
    count: int = 1
    share: float = 1.0
    suffix: str = ""

    def name(self, number: int) -> str:
        """Return the topic with that number."""
        return f"{self.prefix}.{number}.{self.suffix}" if self.suffix else f"{self.prefix}.{number}"


class Load(msgspec.Struct, frozen=True):
    """What one publisher sends.

    Attributes:
        events: how many.
        rate: events a second; 0 is as fast as they are taken.
        burst: so many are sent back to back; the rate holds on average.
        topics: groups of topics.
        size: bytes of an event's data.
    """

    events: int
    rate: float = 0.0
    burst: int = 1
    topics: tuple[Topics, ...] = (Topics("bench"),)
    size: int = 200


class Sent(msgspec.Struct, frozen=True):
    """What a publisher says about a load.

    Attributes:
        events: that were sent, and acknowledged where the contender does that.
        seconds: from the first to the last.
        late_ms: how far behind its schedule the publisher was at worst.
        cpu: seconds of processor time it used.
    """

    events: int
    seconds: float
    late_ms: float
    cpu: float


class Numbers:
    """Topics and numbers of the events of a publisher, counting on from load to load."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._streams: dict[str, int] = {}

    def choose(self, load: Load) -> Iterator[tuple[str, int, int]]:
        """Yield topic, stream number (`k`) and number in the stream (`n`, from 1) of each event."""
        groups = load.topics
        weights = list(accumulate(group.share for group in groups))
        turns = [0] * len(groups)
        random = Random(SEED)
        for _ in range(load.events):
            chosen = random.choices(range(len(groups)), cum_weights=weights)[0] if len(groups) > 1 else 0
            topic = groups[chosen].name(turns[chosen] % groups[chosen].count)
            turns[chosen] += 1
            number = self._next.get(topic, 0) + 1
            self._next[topic] = number
            yield topic, self._streams.setdefault(topic, len(self._streams)), number
