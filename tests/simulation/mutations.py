"""Ways to break the engine, each of which the simulation has to find."""

from collections.abc import Collection, Sequence
from typing import Any

import pytest
from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.draft import Draft
from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.hub import Group, Hub
from tailrace_edge.engine.places import Places
from tailrace_edge.engine.reading import Reading
from tailrace_edge.engine.serving import Serving
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch
from tailrace_edge.engine.tail import Tail


def cut_one_frame_too_far(patch: pytest.MonkeyPatch) -> None:
    cut = Batch.cut

    def broken(self: Batch, written: int) -> tuple[bytes, int, int]:
        rest, cursor, left = cut(self, written)
        return rest, self._cursors[min(self._cursors.index(cursor) + 1, len(self._cursors) - 1)], left

    patch.setattr(Batch, "cut", broken)


def drop_what_was_cut(patch: pytest.MonkeyPatch) -> None:
    cut = Batch.cut

    def broken(self: Batch, written: int) -> tuple[bytes, int, int]:
        rest, cursor, left = cut(self, written)
        return rest[1:] or rest, cursor, left

    patch.setattr(Batch, "cut", broken)


def wake_behind_the_event(patch: pytest.MonkeyPatch) -> None:
    wake = Serving.wake
    patch.setattr(Serving, "wake", lambda self, group, sequence, now: wake(self, group, sequence + 1, now))


def forget_gaps(patch: pytest.MonkeyPatch) -> None:
    def broken(self: Serving, subscriber: Subscriber, to: int, draft: Draft) -> None:
        subscriber.cursor = to

    patch.setattr(Serving, "_tell_gap", broken)


def hide_stored_events_in_gaps(patch: pytest.MonkeyPatch) -> None:
    tell = Serving._tell_gap
    patch.setattr(Serving, "_tell_gap", lambda self, subscriber, to, draft: tell(self, subscriber, to + 1, draft))


def go_live_too_soon(patch: pytest.MonkeyPatch) -> None:
    read = Tail.read

    def broken(self: Tail, patterns: Sequence[str], cursor: int, limit: int) -> tuple[list[Entry], int | None]:
        return read(self, patterns, cursor, limit)[0], None

    patch.setattr(Tail, "read", broken)


def drop_snapshots_when_served(patch: pytest.MonkeyPatch) -> None:
    serve = Serving._serve_snapshot

    def broken(self: Serving, subscriber: Subscriber, snapshot: list[Entry], draft: Draft) -> bool:
        served = serve(self, subscriber, snapshot, draft)
        subscriber.snapshot = None
        subscriber.cursor = subscriber.snapshot_end
        return served

    patch.setattr(Serving, "_serve_snapshot", broken)


def feed_whatever_the_cursor(patch: pytest.MonkeyPatch) -> None:
    serve = Serving.serve_reading

    def broken(self: Serving, subscribers: list[Subscriber], *arguments: Any) -> Any:
        for subscriber in subscribers:
            subscriber.cursor = min(subscriber.cursor, arguments[0].held_after)
        return serve(self, subscribers, *arguments)

    patch.setattr(Serving, "serve_reading", broken)


def trust_readings_that_are_not_complete(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "complete", property(lambda self: True))


def let_anyone_join_a_reading(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "takes", lambda self, subscriber: True)


def take_all_members_for_level(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "find_cursor", lambda self, subscriber: max(subscriber.cursor, self.served))


def forget_where_members_stand(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "find_cursor", lambda self, subscriber: subscriber.cursor)


def keep_late_members(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "leave", lambda self, subscriber: None)


def leave_groups_out_that_retention_overtook(patch: pytest.MonkeyPatch) -> None:
    find = Engine._find_groups

    def broken(self: Engine, reading: Reading) -> Collection[Group]:
        return [group for group in find(self, reading) if reading.find(group)]

    patch.setattr(Engine, "_find_groups", broken)


def serve_readings_beyond_what_they_cover(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reading, "served", property(lambda self: self.reached))


def keep_the_start_of_the_tail(patch: pytest.MonkeyPatch) -> None:
    evict = Tail._evict

    def broken(self: Tail) -> None:
        start = self.start
        evict(self)
        self.start = start

    patch.setattr(Tail, "_evict", broken)


def forget_wildcards(patch: pytest.MonkeyPatch) -> None:
    match = Hub.match
    patch.setattr(Hub, "match", lambda self, path: self._exact.get(path) or () if self._exact else match(self, path))


def conflate_terminal_events(patch: pytest.MonkeyPatch) -> None:
    def broken(subscriber: Subscriber, entries: Sequence[Entry]) -> list[Entry]:
        return list({entry.path: entry for entry in entries}.values())

    patch.setattr("tailrace_edge.engine.serving._conflate", broken)


def leave_out_the_newest(patch: pytest.MonkeyPatch) -> None:
    def broken(subscriber: Subscriber, entries: Sequence[Entry]) -> list[Entry]:
        oldest = {entry.path: entry for entry in reversed(entries)}
        return [entry for entry in entries if entry.terminal or oldest[entry.path] is entry]

    patch.setattr("tailrace_edge.engine.serving._conflate", broken)


def never_hold_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Subscriber, "due", property(lambda self: 0.0, lambda self, due: None))


def open_another_log_silently(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Engine, "_reset", lambda self, subscriber, why: None)


def let_jobs_be_seen_twice(patch: pytest.MonkeyPatch) -> None:
    see = Watch.see

    def broken(self: Watch, entry: Entry) -> None:
        self.since = 0
        see(self, entry)

    patch.setattr(Watch, "see", broken)


def forget_the_ready(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Places, "next_ready", lambda self, now: next(iter(self.ready), None))


def keep_the_closed(patch: pytest.MonkeyPatch) -> None:
    move = Places.move

    def broken(self: Places, subscriber: Subscriber, place: Place) -> None:
        if place is Place.CLOSED:
            subscriber.place = place
        else:
            move(self, subscriber, place)

    patch.setattr(Places, "move", broken)


def notice_no_types(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Group, "wants", lambda self, entry: True)


MUTATIONS = [
    cut_one_frame_too_far,
    drop_what_was_cut,
    wake_behind_the_event,
    forget_gaps,
    hide_stored_events_in_gaps,
    go_live_too_soon,
    drop_snapshots_when_served,
    feed_whatever_the_cursor,
    trust_readings_that_are_not_complete,
    let_anyone_join_a_reading,
    take_all_members_for_level,
    forget_where_members_stand,
    keep_late_members,
    leave_groups_out_that_retention_overtook,
    serve_readings_beyond_what_they_cover,
    keep_the_start_of_the_tail,
    forget_wildcards,
    conflate_terminal_events,
    leave_out_the_newest,
    never_hold_back,
    open_another_log_silently,
    let_jobs_be_seen_twice,
    forget_the_ready,
    keep_the_closed,
    notice_no_types,
]
