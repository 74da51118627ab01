from typing import Any

from edge.engine.samples import (
    JOB,
    TAIL_OF_ONE,
    Harness,
    kinds,
    make_entries,
    make_entry,
    make_interest,
    parse,
)
from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch


def make_cold(*cursors: int, interest: Any = JOB, count: int = 20, **limits: Any) -> tuple[Harness, list[Subscriber]]:
    harness = Harness(**(TAIL_OF_ONE | limits))
    harness.append(*make_entries(*["log"] * count))
    subscribers = [harness.attach_live(interest, cursor=cursor) for cursor in cursors]
    assert [subscriber.place for subscriber in subscribers] == [Place.COLD] * len(cursors)
    assert harness.engine.count_cold()
    return harness, subscribers


def test_reading_serves_all_that_are_near() -> None:
    harness, (one, other) = make_cold(2, 4)
    reading = harness.plan(until=20)
    assert (reading.after, reading.covers, reading.patterns) == (2, 19, ["acme.jobs.a"])
    assert harness.engine.plan_reading() is None

    harness.feed(reading, *make_entries(*["log"] * 7, after=2))
    assert kinds(harness.read(one)) == [(str(n), "log") for n in range(3, 10)]
    assert kinds(harness.read(other)) == [(str(n), "log") for n in range(5, 10)]
    harness.feed(reading, *make_entries(*["log"] * 11, after=9))
    harness.engine.end_reading(reading)
    harness.serve()

    for subscriber in (one, other):
        assert kinds(harness.read(subscriber)) == [(str(n), "log") for n in range(10, 21)]
        assert harness.place(subscriber) is Place.LIVE
    assert harness.engine.counts.replays == {"tail": 0, "jetstream": 2}


def test_reading_shares_its_batches() -> None:
    harness, subscribers = make_cold(2, 2)
    writes = harness.engine.feed(harness.plan(), make_entries("log", "log", after=2), harness.now)

    assert [(members, batch.frames) for members, batch in writes] == [(subscribers, 2)]
    assert harness.engine.counts.deliveries == 2 + 2 * 2


def test_reading_that_brings_nothing_changes_nothing() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan()
    harness.feed(reading)
    harness.engine.end_reading(reading)
    harness.serve()

    assert (subscriber.place, subscriber.cursor) == (Place.COLD, 2)


def test_reading_that_is_not_complete_proves_nothing() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan(until=20)
    harness.feed(reading, *make_entries("log", after=14))
    harness.engine.end_reading(reading)
    harness.serve()

    assert (subscriber.place, subscriber.cursor) == (Place.COLD, 15)


def test_reading_of_nothing_of_interest_brings_its_members_to_the_tail() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan(until=25)
    harness.feed(reading, make_entry(25, "acme.sentinel"))
    harness.engine.end_reading(reading)
    harness.serve()

    assert kinds(harness.read(subscriber)) == [("20", "log")]


def test_reading_leaves_to_the_tail_what_is_in_the_tail() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan(until=20)
    harness.feed(reading, *make_entries("log", after=18), make_entry(25, "acme.jobs.a"))
    harness.engine.end_reading(reading)
    harness.serve()

    assert kinds(harness.read(subscriber)) == [("19", "log"), ("20", "log")]


def test_member_that_took_a_part_catches_up() -> None:
    harness, (subscriber,) = make_cold(2, batch_bytes=1, interest=make_interest("acme.jobs.a", max_rate=0.1))
    reading = harness.plan()
    entries = [make_entry(5, "acme.jobs.a", "complete"), make_entry(6, "acme.jobs.a", "complete")]
    harness.feed(reading, *entries)
    assert kinds(harness.read(subscriber)) == [("5", "complete")]
    assert reading.lagging
    for subscribers, batch in harness.engine.catch_up(reading, harness.now):
        assert subscribers == [subscriber]
        harness.write(subscriber, batch)

    assert kinds(harness.read(subscriber)) == [("6", "complete")]
    assert not reading.lagging


def test_member_that_does_not_take_all_drops_out() -> None:
    harness, (slow, other) = make_cold(2, 2)
    reading = harness.plan(until=20)
    harness.room[slow] = 5
    harness.feed(reading, *make_entries("log", "log", after=2))
    assert (slow.place, slow.cursor) == (Place.BLOCKED, 3)
    harness.feed(reading, *make_entries("log", after=4))
    assert reading.members == [other]

    harness.unblock(slow)
    assert slow.place is Place.COLD
    assert harness.plan().after == 3
    assert kinds(harness.read(slow)) == [("3", "log")]


def test_member_that_is_ready_for_more_is_given_it_by_another_reading() -> None:
    harness, (slow,) = make_cold(2, batch_bytes=1, interest=make_interest("acme.jobs.a", max_rate=0.1))
    reading = harness.plan()
    harness.feed(reading, make_entry(3, "acme.jobs.a", "complete"), make_entry(4, "acme.jobs.a", "complete"))
    harness.feed(reading, make_entry(5, "acme.jobs.a", "complete"))

    assert (slow.place, slow.cursor, reading.members) == (Place.READY, 3, [])


def test_end_of_a_reading_moves_no_member_that_did_not_take_all() -> None:
    harness, (slow,) = make_cold(2, batch_bytes=1, interest=make_interest("acme.jobs.a", max_rate=0.1))
    reading = harness.plan(until=4)
    harness.feed(reading, make_entry(3, "acme.jobs.a", "complete"), make_entry(4, "acme.jobs.a", "complete"))
    assert reading.complete
    harness.engine.end_reading(reading)
    harness.serve()

    assert (slow.place, slow.cursor) == (Place.COLD, 3)


def test_member_that_was_blocked_for_a_moment_joins_again() -> None:
    harness, (slow,) = make_cold(2)
    reading = harness.plan()
    harness.room[slow] = 5
    harness.feed(reading, *make_entries("log", "log", after=2))
    assert harness.engine.catch_up(reading, harness.now) == []
    harness.engine.unblock(slow)
    assert slow.place is Place.READING
    harness.written[slow].append(harness.rest.pop(slow))
    harness.room.clear()

    for _, batch in harness.engine.catch_up(reading, harness.now):
        harness.write(slow, batch)
    assert kinds(harness.read(slow)) == [("3", "log"), ("4", "log")]


def test_only_member_of_its_group_that_was_blocked_while_more_came_is_given_it() -> None:
    harness, (slow, other) = make_cold(2, 2)
    reading = harness.plan()
    harness.room[slow] = harness.room[other] = 5
    harness.feed(reading, *make_entries("log", after=2))
    assert (slow.place, slow.cursor, reading.stuck) == (Place.BLOCKED, 3, False)
    harness.feed(reading, *make_entries("log", after=3))
    assert reading.stuck
    harness.unblock(slow)
    harness.unblock(other)

    assert [len(members) for members, _ in harness.engine.catch_up(reading, harness.now)] == [2]
    assert not reading.lagging


def test_member_for_whom_a_reading_brings_nothing_stands_where_it_stands() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan()
    harness.feed(reading, make_entry(9, "acme.jobs.b"))
    beat = harness.engine.beat(subscriber, harness.now)

    assert isinstance(beat, Batch)
    assert beat.cut(0)[1] == reading.find_cursor(subscriber) == 9
    harness.engine.stall(subscriber, beat, 1, harness.now)
    assert subscriber.cursor == 9


def test_newcomer_joins_a_reading_under_way() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan()
    newcomer = harness.attach(JOB, cursor=4)
    harness.serve()

    assert reading.members == [subscriber, newcomer]
    assert harness.engine.count_cold() == 0


def test_blocked_one_that_is_no_member_joins_as_a_newcomer() -> None:
    harness, (subscriber,) = make_cold(2)
    newcomer = harness.attach(JOB, cursor=4)
    harness.room[newcomer] = 5
    harness.serve()
    reading = harness.plan()
    assert reading.members == [subscriber]
    harness.unblock(newcomer)

    assert reading.members == [subscriber, newcomer]
    assert harness.place(newcomer) is Place.READING


def test_member_that_left_is_given_nothing() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan()
    harness.engine.detach(subscriber)

    assert harness.engine.feed(reading, make_entries("log", after=2), harness.now) == []
    assert reading.members == []


def test_retention_under_a_reading_is_a_gap() -> None:
    harness, (one, other) = make_cold(2, 4)
    reading = harness.plan(until=20)
    harness.feed(reading, *make_entries("log", after=4))
    harness.read(one)
    harness.read(other)
    harness.engine.settle(9, 20)
    harness.feed(reading, make_entry(11, "acme.jobs.a"))

    for subscriber in (one, other):
        assert parse(harness.read(subscriber)) == [
            ("8", "gap", {"from": "5f2c91ab-6", "to": "5f2c91ab-8", "why": "retention"}),
            ("11", "message", 11),
        ]


def test_what_was_read_before_retention_took_it_is_served() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan(until=20)
    harness.engine.settle(15, 20)
    harness.feed(reading, *make_entries("log", "log", after=2))
    assert kinds(harness.read(subscriber)) == [("3", "log"), ("4", "log")]
    harness.feed(reading, make_entry(25, "acme.sentinel"))

    assert parse(harness.read(subscriber)) == [
        ("14", "gap", {"from": "5f2c91ab-5", "to": "5f2c91ab-14", "why": "retention"})
    ]


def test_reading_with_nothing_left_to_read_ends_with_a_gap() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan(until=2)
    harness.engine.settle(21, 20)
    harness.engine.end_reading(reading)
    harness.serve()

    assert kinds(harness.read(subscriber)) == [("19", "gap"), ("20", "log")]


def test_ended_jobs_end_a_stream_in_a_reading() -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries("start", "complete", "log"))
    interest = make_interest("acme.jobs.a", until_terminal=True)
    subscriber = harness.attach_live(interest, cursor=0, watch=Watch(interest.patterns, 3, {"acme.jobs.a": True}))
    reading = harness.plan(until=3)
    harness.feed(reading, *make_entries("start", "complete", "log"))
    harness.engine.end_reading(reading)
    harness.serve()

    assert kinds(harness.read(subscriber)) == [("1", "start"), ("2", "complete"), ("3", "log"), ("3", "closing")]
