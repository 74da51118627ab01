"""Drafts: batches in the making, for one subscriber."""

from collections.abc import Sequence

from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.entry import Entry, Format


class Draft:
    """Frames for one connection, and where its cursor stands after each."""

    __slots__ = ("_cursors", "_form", "_frames")

    def __init__(self, form: Format) -> None:
        self._form = form
        self._frames: list[bytes] = []
        self._cursors: list[int] = []

    def __bool__(self) -> bool:
        """Return whether anything was taken in."""
        return bool(self._frames)

    def add(self, frame: bytes, cursor: int) -> None:
        """Take one frame in, after which the cursor stands at `cursor`."""
        self._frames.append(frame)
        self._cursors.append(cursor)

    def add_entries(self, entries: Sequence[Entry], reached: int, limit: int) -> int:
        """Take events in until they have `limit` bytes, and return where the cursor stands then.

        Args:
            entries: in order.
            reached: where it stands after all of them.
            limit: bytes, passed by one event at most.
        """
        size = 0
        for entry in entries:
            frame = entry.frame(self._form)
            self.add(frame, entry.sequence)
            size += len(frame)
            if size >= limit and entry is not entries[-1]:
                return entry.sequence
        if entries:
            self._cursors[-1] = reached
        return reached

    def finish(self, *, last: bool = False) -> Batch | None:
        """Return the batch; None if nothing was taken in."""
        return Batch(self._frames, self._cursors, last=last) if self._frames else None
