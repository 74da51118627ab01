"""Reading ahead: what has come of a stream and waits for a slow loop. No I/O: a shell puts in and takes out."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from tailrace_protocol.errors import InvalidInput
from tailrace_protocol.events import DELETED, TERMINAL_TYPES, Event, check_type

from tailrace_client.items import Item


@dataclass(frozen=True, slots=True)
class ReadAhead:
    """How much a stream reads ahead of its loop; at either bound it stops reading, and so holds back the edge.

    Attributes:
        items: that wait, at most.
        size: of their JSON in all, in characters. One item more may come when it is not reached yet.
    """

    items: int = 1000
    size: int = 8 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    item: Item
    cursor: str | None
    size: int


class Buffer:
    """Items in order, within bounds; of those that may be conflated, the newest of each topic and type.

    Attributes:
        cursor: behind the item taken last.
        conflated: how many items a newer one has taken the place of.
    """

    def __init__(self, limits: ReadAhead, conflate: Collection[str], cursor: str | None) -> None:
        """Begin empty.

        Args:
            limits: of what waits.
            conflate: the types of which the newest event of each topic is enough.
            cursor: where the stream begins.
        """
        self.cursor = cursor
        self.conflated = 0
        self._limits = limits
        self._conflate = frozenset(conflate)
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._newest: dict[tuple[str, str], int] = {}
        self._size = 0
        self._number = 0
        self._reached = cursor

    def __len__(self) -> int:
        return len(self._entries)

    def takes(self, item: Item) -> bool:
        """Return whether there is room for an item, or one whose place it takes."""
        return self._find_older(item) is not None or (
            len(self._entries) < self._limits.items and self._size < self._limits.size
        )

    def put(self, item: Item, cursor: str | None, size: int) -> None:
        """Take in the next item.

        Args:
            item: as it came.
            cursor: the stream's, behind the item.
            size: of its JSON.
        """
        older = self._find_older(item)
        if older is not None:
            self._size -= self._entries.pop(older).size
            self.conflated += 1
        self._number += 1
        self._entries[self._number] = _Entry(item, cursor, size)
        self._size += size
        self._reached = cursor
        if isinstance(item, Event) and item.type in self._conflate:
            self._newest[item.topic, item.type] = self._number

    def reach(self, cursor: str | None) -> None:
        """Learn that the stream is at `cursor`, and that nothing else came up to there."""
        self._reached = cursor

    def take(self) -> Item | None:
        """Return the next item; None if none waits, and then `cursor` moves to where the stream is."""
        if not self._entries:
            self.cursor = self._reached
            return None
        number, entry = self._entries.popitem(last=False)
        self._size -= entry.size
        self.cursor = entry.cursor
        if isinstance(entry.item, Event) and self._newest.get((entry.item.topic, entry.item.type)) == number:
            del self._newest[entry.item.topic, entry.item.type]
        return entry.item

    def _find_older(self, item: Item) -> int | None:
        return self._newest.get((item.topic, item.type)) if isinstance(item, Event) else None


def check_read_ahead(read_ahead: ReadAhead | int | None, conflate: Collection[str]) -> ReadAhead | None:
    """Return how much to read ahead; None if nothing.

    Raises:
        InvalidInput: there is no room for a single item, or something is to be conflated that must not be.
    """
    if isinstance(conflate, str):
        raise InvalidInput(f"conflate={conflate!r} is a text; it takes a set of types, {{{conflate!r}}}")
    for event_type in conflate:
        check_type(event_type)
    if never := sorted((TERMINAL_TYPES | {DELETED}).intersection(conflate)):
        raise InvalidInput(f"events of type {', '.join(never)} are never conflated: each says that something ended")
    if read_ahead is None:
        if conflate:
            raise InvalidInput("conflate= needs read_ahead=: without it nothing waits that could be conflated")
        return None
    limits = ReadAhead(read_ahead) if isinstance(read_ahead, int) else read_ahead
    if limits.items < 1 or limits.size < 1:
        raise InvalidInput(f"{limits} has no room for an item; None reads nothing ahead")
    return limits
