"""Serving: what a subscriber is given next, and where its cursor stands after it."""

from collections.abc import Sequence

from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Closing, Cursor, Gap, GapReason, Lag

from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.counts import Counts
from tailrace_edge.engine.draft import Draft
from tailrace_edge.engine.entry import Entry, encode_control
from tailrace_edge.engine.hub import Group
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.log import Log
from tailrace_edge.engine.places import Places
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch

_CONFLATED_READS = 8
"""Further reads of the tail in one serving with `max_rate`."""

Write = tuple[list[Subscriber], Batch]
"""A batch, and those it is to be written to."""


class Serving:
    """Serves those that are behind from the tail and from readings, and those at the head all at once."""

    def __init__(self, log: Log, places: Places, counts: Counts, limits: Limits) -> None:
        self._log = log
        self._places = places
        self._counts = counts
        self._limits = limits

    def serve(self, subscriber: Subscriber, now: float) -> Batch | None:
        """Return what to write to a ready subscriber, and move it on."""
        draft = Draft(subscriber.group.interest.form)
        if subscriber.preface:
            draft.add(subscriber.preface, subscriber.cursor)
            subscriber.preface = b""
        last = False
        if subscriber.snapshot is None or not self._serve_snapshot(subscriber, subscriber.snapshot, draft):
            last = self._serve_log(subscriber, draft, now)
        return draft.finish(last=last)

    def share(self, group: Group, entries: Sequence[Entry]) -> Batch:
        """Return what to write to all live subscribers of a group."""
        group.newest = entries[-1].sequence
        return _join(group, entries)

    def wake(self, group: Group, sequence: int, now: float) -> None:
        """Make those of a group that wait at the head ready, since something has come for them.

        Args:
            group: one that is not served all at once.
            sequence: of the first event that has come.
            now: the time.
        """
        for subscriber in list(group.waiting):
            subscriber.cursor = max(subscriber.cursor, sequence - 1)
            self._places.move(subscriber, Place.READY if subscriber.due <= now else Place.PACED)

    def serve_reading(self, subscribers: list[Subscriber], reading: Reading, now: float) -> list[Write]:
        """Return what to write to members of a reading that are all of one group."""
        group = subscribers[0].group
        entries = reading.find(group)
        oldest = self._log.oldest
        together = [
            subscriber
            for subscriber in subscribers
            if entries and group.interest.shared and oldest - 1 <= subscriber.cursor < entries[0].sequence
        ]
        writes: list[Write] = []
        if together:
            writes.append((together, _join(group, entries)))
            for subscriber in together:
                subscriber.cursor = reading.served
                subscriber.told = entries[-1].sequence
        for subscriber in subscribers:
            if subscriber.cursor < reading.served:
                writes += self._serve_alone(subscriber, entries, reading, now)
        return writes

    def beat(self, subscriber: Subscriber, now: float) -> bytes | None:
        """Return the `cursor` that tells an idle client at the head that it missed nothing, if it is time for one."""
        newest = subscriber.group.newest if subscriber.place is Place.LIVE else 0
        if newest > subscriber.told:
            subscriber.told = newest
            subscriber.told_at = now
        if subscriber.told == self._log.head or now - subscriber.told_at < self._limits.cursor_interval:
            return None
        subscriber.told = self._log.head
        subscriber.told_at = now
        here = self._log.position(self._log.head)
        return encode_control(Cursor(str(here)), subscriber.group.interest.form, here)

    def _serve_snapshot(self, subscriber: Subscriber, snapshot: list[Entry], draft: Draft) -> bool:
        left = [entry for entry in snapshot if entry.sequence > subscriber.cursor][: self._limits.batch_events]
        if not left:
            # Only now, since a write that was cut may have needed it again.
            subscriber.snapshot = None
            subscriber.cursor = subscriber.snapshot_end
            return False
        subscriber.cursor = draft.add_entries(left, left[-1].sequence, self._limits.batch_bytes)
        self._places.move(subscriber, Place.READY)
        return True

    def _serve_log(self, subscriber: Subscriber, draft: Draft, now: float) -> bool:
        """Serve from the tail, and return whether the stream ends with that."""
        log = self._log
        if subscriber.cursor + 1 < log.oldest:
            self._tell_gap(subscriber, log.oldest - 1, draft)
        place = self._find_place(subscriber, now)
        if place is not Place.READY:
            self._places.move(subscriber, place)
            return False
        entries, reached = self._read_tail(subscriber)
        ended = self._write(subscriber, entries, log.head if reached is None else reached, draft, now)
        if subscriber.cursor == log.head and not ended:
            self._arrive(subscriber, draft, now)
        else:
            self._places.move(subscriber, Place.READY)
        return ended

    def _find_place(self, subscriber: Subscriber, now: float) -> Place:
        if subscriber.cursor > self._log.head:
            return Place.AHEAD
        if subscriber.cursor < self._log.tail.start - 1:
            return Place.COLD
        return Place.PACED if now < subscriber.due else Place.READY

    def _read_tail(self, subscriber: Subscriber) -> tuple[list[Entry], int | None]:
        """Return what comes next, see `Tail.read`."""
        interest = subscriber.group.interest
        tail = self._log.tail
        entries, reached = tail.read(interest.patterns, subscriber.cursor, self._limits.batch_events)
        if interest.max_rate is not None:
            # Most of it is left out: to keep up with any log, one serving has to look far ahead.
            for _ in range(_CONFLATED_READS):
                if reached is None:
                    break
                more, reached = tail.read(interest.patterns, reached, self._limits.batch_events)
                entries += more
        return entries, reached

    def _serve_alone(
        self, subscriber: Subscriber, entries: Sequence[Entry], reading: Reading, now: float
    ) -> list[Write]:
        draft = Draft(subscriber.group.interest.form)
        if subscriber.cursor + 1 < self._log.oldest:
            # Retention went on while the reading did. What it brings next was stored still.
            later = (entry.sequence for entry in reading.held if entry.sequence > subscriber.cursor)
            following = next(later, reading.served + 1)
            if following > subscriber.cursor + 1:
                self._tell_gap(subscriber, min(self._log.oldest, following) - 1, draft)
        left = [entry for entry in entries if entry.sequence > subscriber.cursor]
        ended = self._write(subscriber, left, reading.served, draft, now)
        batch = draft.finish(last=ended)
        return [] if batch is None else [([subscriber], batch)]

    def _write(self, subscriber: Subscriber, entries: Sequence[Entry], reached: int, draft: Draft, now: float) -> bool:
        """Write what matched, move the cursor to `reached` or as far as fits, and return whether the stream ends."""
        group = subscriber.group
        ended = False
        if subscriber.watch is not None:
            entries, reached, ended = _watch(subscriber.watch, entries, reached)
        found = [entry for entry in entries if group.wants(entry)]
        if group.interest.max_rate is not None:
            found = _conflate(subscriber, found)
        subscriber.cursor = draft.add_entries(found, reached, self._limits.batch_bytes)
        if found:
            subscriber.told = min(found[-1].sequence, subscriber.cursor)
            subscriber.told_at = now
            if group.interest.max_rate is not None and subscriber.cursor == self._log.head:
                subscriber.due = now + 1 / group.interest.max_rate
        if not ended or subscriber.cursor < reached:
            return False
        draft.add(encode_control(Closing(CloseReason.FINISHED), group.interest.form), reached)
        return True

    def _tell_gap(self, subscriber: Subscriber, to: int, draft: Draft) -> None:
        log = self._log
        gap = Gap(str(log.position(subscriber.cursor + 1)), str(log.position(to)), GapReason.RETENTION)
        draft.add(encode_control(gap, subscriber.group.interest.form, log.position(to)), to)
        subscriber.cursor = subscriber.told = to
        if subscriber.watch is not None and not subscriber.watch.ended and subscriber.watch.since < to:
            subscriber.watch = None
        self._counts.gaps += 1

    def _arrive(self, subscriber: Subscriber, draft: Draft, now: float) -> None:
        head = self._log.head
        if subscriber.fell_at is not None:
            behind = now - subscriber.fell_at
            if behind >= self._limits.lag_after:
                if draft and subscriber.group.interest.shared:
                    # In a batch of its own, which cannot be cut before it: a slow reader's last one often is.
                    self._places.move(subscriber, Place.READY)
                    return
                lag = Lag(round(behind, 3), subscriber.conflated)
                draft.add(encode_control(lag, subscriber.group.interest.form, self._log.position(head)), head)
                subscriber.told = head
            subscriber.fell_at = None
        self._places.move(subscriber, Place.LIVE if subscriber.group.interest.shared else Place.WAITING)


def _join(group: Group, entries: Sequence[Entry]) -> Batch:
    form = group.interest.form
    return Batch([entry.frame(form) for entry in entries], [entry.sequence for entry in entries])


def _watch(watch: Watch, entries: Sequence[Entry], reached: int) -> tuple[Sequence[Entry], int, bool]:
    """Return what is to be delivered, up to where, and whether the stream ends there."""
    for entry in entries:
        watch.see(entry)
    if not watch.ended or reached < watch.since:
        return entries, reached, False
    return [entry for entry in entries if entry.sequence <= watch.since], watch.since, True


def _conflate(subscriber: Subscriber, entries: Sequence[Entry]) -> list[Entry]:
    newest = {entry.path: entry for entry in entries if not entry.terminal}
    kept = [entry for entry in entries if entry.terminal or newest[entry.path] is entry]
    subscriber.conflated += len(entries) - len(kept)
    return kept
