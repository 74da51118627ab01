import pytest
from edge.engine.samples import (
    JOB,
    TAIL_OF_ONE,
    Harness,
    beat,
    kinds,
    make_entries,
    make_entry,
    make_interest,
    parse,
)
from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.subscriber import Place
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Mode

# Slow readers


@pytest.mark.parametrize("written", range(0, 180, 3))
def test_connection_that_takes_less_misses_nothing(written: int) -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = written
    harness.append(*make_entries("log", "log"))
    assert harness.place(subscriber) is Place.BLOCKED
    harness.append(*make_entries("log", after=2))
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("1", "log"), ("2", "log"), ("3", "log")]
    assert harness.place(subscriber) is Place.LIVE


def test_slow_reader_is_told_that_it_was_slow() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 5
    harness.append(*make_entries("log"))
    harness.now += 2.5
    harness.unblock(subscriber)

    assert parse(harness.read(subscriber))[-1] == ("1", "lag", {"seconds": 2.5})


def test_reader_that_was_slow_for_a_moment_is_not_told() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 5
    harness.append(*make_entries("log"))
    harness.now += 0.5
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("1", "log")]


def test_blocked_connection_without_headway_is_closed() -> None:
    harness = Harness(slow_after=60)
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 5
    harness.append(*make_entries("log"))

    assert harness.engine.beat(subscriber, harness.now + 59) is None
    harness.engine.move_on(subscriber, harness.now + 30)
    assert harness.engine.beat(subscriber, harness.now + 89) is None
    assert harness.engine.beat(subscriber, harness.now + 90) is CloseReason.SLOW


def test_headway_of_a_connection_that_is_not_blocked_is_nothing() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.engine.move_on(subscriber, harness.now)
    harness.engine.unblock(subscriber)

    assert subscriber.blocked_at is None
    assert harness.place(subscriber) is Place.LIVE


def test_batches_end_with_what_fits() -> None:
    harness = Harness(batch_events=10, batch_bytes=200)
    harness.append(*make_entries(*["log"] * 10))
    subscriber = harness.attach(JOB, cursor=0)
    harness.serve()

    assert len(harness.written[subscriber]) == 5
    assert len(kinds(harness.read(subscriber))) == 11


def test_those_that_are_ready_take_turns() -> None:
    harness = Harness(batch_events=1)
    harness.append(*make_entries("log", "log"))
    one, other = harness.attach(JOB, cursor=0), harness.attach(JOB, cursor=0)
    order = []
    while (subscriber := harness.engine.next_ready(harness.now)) is not None:
        order.append(subscriber)
        harness.engine.serve(subscriber, harness.now)

    assert order == [one, other, one, other]


def test_lag_is_told_once() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 5
    harness.append(*make_entries("log"))
    harness.now += 1
    harness.unblock(subscriber)
    assert kinds(harness.read(subscriber)) == [("1", "log"), ("1", "lag")]

    harness.room[subscriber] = 5
    harness.append(*make_entries("log", after=1))
    harness.unblock(subscriber)
    assert kinds(harness.read(subscriber)) == [("2", "log")]


def test_reader_that_began_behind_has_not_lagged() -> None:
    harness = Harness(batch_events=1)
    harness.append(*make_entries("log", "log"))
    subscriber = harness.attach(JOB, cursor=0)
    harness.room[subscriber] = 5
    harness.serve()
    harness.now += 10
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("0", "open"), ("1", "log"), ("2", "log")]


def test_only_what_connections_took_is_counted() -> None:
    harness = Harness()
    one, other = harness.attach_live(JOB), harness.attach_live(JOB)
    harness.room[other] = 3
    before = harness.engine.counts.deliveries, harness.engine.counts.bytes
    harness.append(*make_entries("log", "log"))

    counts = harness.engine.counts
    taken = len(harness.read(one)) + len(harness.read(other)) + len(harness.rest[other])
    assert (counts.deliveries, counts.bytes) == (before[0] + 3, before[1] + taken)


@pytest.mark.parametrize(("cursor", "replays"), [(4, (0, 0)), (3, (1, 0)), (2, (0, 1))])
def test_replays_are_counted_by_their_source(cursor: int, replays: tuple[int, int]) -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries(*["log"] * 4))
    harness.attach(JOB, cursor=cursor)

    assert tuple(harness.engine.counts.replays.values()) == replays


def test_resets_are_counted() -> None:
    harness = Harness()
    harness.attach_live(JOB)
    harness.attach_live(JOB)
    harness.engine.open_log("deadbeef", 1, 0)

    assert harness.engine.counts.resets == 2


# Heartbeats and cursors


def test_idle_stream_gets_heartbeats() -> None:
    harness = Harness()
    assert beat(harness, harness.attach_live(JOB)) == b": hb\n"
    assert beat(harness, harness.attach_live(make_interest("acme.x", form=Format.NDJSON))) == b"\n"


@pytest.mark.parametrize("options", [{}, {"max_rate": 1.0}])
def test_idle_stream_gets_a_cursor_once_in_an_interval(options: dict[str, float]) -> None:
    harness = Harness(cursor_interval=30)
    subscriber = harness.attach_live(make_interest("acme.jobs.a", **options))
    harness.append(make_entry(1))
    assert beat(harness, subscriber, 15) == b": hb\n"
    assert parse(beat(harness, subscriber, 15)) == [("1", "cursor", {"cursor": "5f2c91ab-1"})]

    harness.append(make_entry(2))
    assert beat(harness, subscriber, 15) == b": hb\n"
    assert kinds(beat(harness, subscriber, 15)) == [("2", "cursor")]
    assert beat(harness, subscriber, 60) == b": hb\n"  # it is at the head, and knows


def test_busy_stream_gets_no_cursor() -> None:
    harness = Harness(cursor_interval=30)
    subscriber = harness.attach_live(JOB)
    for number in range(10):
        harness.append(make_entry(2 * number + 1, "acme.jobs.a"), make_entry(2 * number + 2))
        assert beat(harness, subscriber, 15) == b": hb\n"


def test_resumed_stream_gets_a_cursor_if_its_id_is_older_than_the_head() -> None:
    harness = Harness(cursor_interval=30)
    harness.append(make_entry(1, "acme.jobs.a"), make_entry(2))
    subscriber = harness.attach_live(JOB, cursor=0)

    assert kinds(beat(harness, subscriber, 30)) == [("2", "cursor")]


@pytest.mark.parametrize("cursor", [0, 2])
def test_resumed_stream_gets_no_cursor_if_its_id_is_the_head(cursor: int) -> None:
    harness = Harness(cursor_interval=30)
    harness.append(*make_entries("log", "log"))
    subscriber = harness.attach_live(JOB, cursor=cursor, mode=Mode.RESUMED)

    assert beat(harness, subscriber, 60) == b": hb\n"


def test_cursor_waits_for_an_interval_without_events() -> None:
    harness = Harness(cursor_interval=30)
    live, waiting = harness.attach_live(JOB), harness.attach_live(make_interest("acme.jobs.a", max_rate=1.0))
    harness.now += 20
    harness.append(make_entry(1, "acme.jobs.a"))
    harness.append(make_entry(2))

    for seconds in (0, 29):
        harness.now += seconds
        assert [beat(harness, subscriber) for subscriber in (live, waiting)] == [b": hb\n"] * 2
    harness.now += 1
    for subscriber in (live, waiting):
        assert kinds(beat(harness, subscriber)) == [("2", "cursor")]


def test_lag_tells_the_head_as_a_cursor_does() -> None:
    harness = Harness(cursor_interval=30)
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 5
    harness.append(make_entry(1, "acme.jobs.a"))
    harness.append(make_entry(2))
    harness.now += 5
    harness.unblock(subscriber)
    assert kinds(harness.read(subscriber)) == [("1", "message"), ("2", "lag")]

    assert beat(harness, subscriber, 60) == b": hb\n"


def test_stream_of_a_snapshot_gets_a_cursor_if_its_id_is_older_than_the_head() -> None:
    harness = Harness(cursor_interval=30)
    harness.append(make_entry(1, "acme.jobs.a"), make_entry(2))
    subscriber = harness.attach_live(JOB, snapshot=[make_entry(1, "acme.jobs.a")])

    assert kinds(beat(harness, subscriber, 30)) == [("2", "cursor")]


def test_stream_behind_gets_heartbeats_but_no_cursor() -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries("log", "log"))
    subscriber = harness.attach(JOB, cursor=0)
    assert harness.engine.beat(subscriber, harness.now) is None  # it has not been opened
    harness.serve()

    assert harness.place(subscriber) is Place.COLD
    assert beat(harness, subscriber, 60) == b": hb\n"


def test_heartbeat_that_is_cut_moves_no_cursor() -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries("log", "log"))
    subscriber = harness.attach(JOB, cursor=0)
    harness.serve()
    harness.room[subscriber] = 1
    batch = harness.engine.beat(subscriber, harness.now)
    assert isinstance(batch, Batch)
    harness.write(subscriber, batch)
    harness.unblock(subscriber)

    assert (subscriber.place, subscriber.cursor) == (Place.COLD, 0)


def test_turn_brings_everyone() -> None:
    harness = Harness(heartbeat=15)
    subscribers = {harness.attach_live(JOB) for _ in range(10)}
    assert list(harness.engine.turn(harness.now)) == []

    assert set(harness.engine.turn(harness.now + 16)) == subscribers


def test_stream_has_a_maximum_age() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    subscriber.expires = harness.now + 10

    assert isinstance(harness.engine.beat(subscriber, harness.now + 9), Batch)
    assert harness.engine.beat(subscriber, harness.now + 10) is CloseReason.MAX_AGE


# With max_rate


def test_rate_lets_the_newest_win() -> None:
    harness = Harness()
    subscriber = harness.attach_live(make_interest("acme.jobs.*", max_rate=2.0))
    harness.append(*make_entries("progress", "progress"))
    assert kinds(harness.read(subscriber)) == [("2", "progress")]
    assert not harness.engine.next_due

    harness.append(*make_entries("progress", "complete", "progress", after=2))
    harness.append(make_entry(6, "acme.jobs.b", "progress"))
    assert harness.read(subscriber) == b""
    assert (subscriber.place, harness.engine.next_due) == (Place.PACED, harness.now + 0.5)

    harness.now += 0.5
    harness.serve()
    assert kinds(harness.read(subscriber)) == [("4", "complete"), ("5", "progress"), ("6", "progress")]


def test_rate_holds_nothing_back_after_a_pause() -> None:
    harness = Harness()
    subscriber = harness.attach_live(make_interest("acme.jobs.*", max_rate=2.0))
    harness.append(*make_entries("progress"))
    harness.now += 0.6
    harness.append(*make_entries("progress", after=1))

    assert kinds(harness.read(subscriber)) == [("1", "progress"), ("2", "progress")]


def test_rate_reads_nothing_again_that_was_not_for_it() -> None:
    harness = Harness(**TAIL_OF_ONE)
    subscriber = harness.attach_live(make_interest("acme.jobs.*", max_rate=2.0))
    harness.append(*(make_entry(sequence) for sequence in range(1, 100)))
    harness.append(*make_entries("progress", after=99))

    assert kinds(harness.read(subscriber)) == [("100", "progress")]


def test_rate_keeps_up_with_any_log() -> None:
    harness = Harness()
    subscriber = harness.attach_live(make_interest("acme.>", max_rate=1.0))
    for second in range(5):
        harness.append(*(make_entry(1000 * second + n, f"acme.{n % 3}.a", "log") for n in range(1, 1001)))
        harness.now += 1.0
        harness.serve()

    newest = [(str(1000 * second + n), "log") for second in range(5) for n in (998, 999, 1000)]
    assert kinds(harness.read(subscriber)) == newest
    assert harness.place(subscriber) is Place.WAITING


def test_slow_reader_is_told_how_much_was_conflated_meanwhile() -> None:
    harness = Harness()
    subscriber = harness.attach_live(make_interest("acme.jobs.a", max_rate=2.0))
    harness.append(*make_entries("progress", "progress"))
    harness.now += 1
    harness.room[subscriber] = 5
    harness.append(*make_entries("progress", after=2))
    harness.append(*make_entries("progress", "progress", "progress", "progress", after=3))
    harness.now += 2
    harness.unblock(subscriber)

    assert parse(harness.read(subscriber))[-1] == ("7", "lag", {"seconds": 2.0, "conflated": 3})
