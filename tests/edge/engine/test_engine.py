from typing import Any

import msgspec
import pytest
from edge.engine.samples import EPOCH, Harness, make_entries, make_entry, make_interest
from tailrace_edge.engine.batch import Batch
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Mode
from tailrace_protocol.sse import SseDecoder

JOB = make_interest("acme.jobs.a")
TAIL_OF_ONE = {"tail_bytes": 0}


def parse(data: bytes) -> list[tuple[str, str, Any]]:
    """Return id, type and data of all events; of control events the data's kind is the type."""
    events = []
    for event in SseDecoder().feed(data):
        fields = msgspec.json.decode(event.data)
        if event.event == "tailrace":
            events.append((event.last_event_id.removeprefix(f"{EPOCH}-"), fields.pop("kind"), fields))
        else:
            events.append((event.last_event_id.removeprefix(f"{EPOCH}-"), event.event, fields["data"]))
    return events


def kinds(data: bytes) -> list[tuple[str, str]]:
    return [(event_id, kind) for event_id, kind, _ in parse(data)]


def beat(harness: Harness, subscriber: Subscriber, seconds: float = 0) -> bytes:
    harness.now += seconds
    batch = harness.engine.beat(subscriber, harness.now)
    assert isinstance(batch, Batch)
    return batch.data


# Where a stream begins


def test_stream_opens_with_what_a_client_has_to_know() -> None:
    harness = Harness(heartbeat=7.5)
    harness.append(make_entry(1))
    subscriber = harness.attach(JOB, head=b"HTTP/1.1 200 OK\r\n\r\n", retry=1234)
    assert harness.engine.waits_for_reading is False
    harness.serve()

    assert harness.read(subscriber) == (
        b"HTTP/1.1 200 OK\r\n\r\nretry: 1234\nid: 5f2c91ab-1\nevent: tailrace\n"
        b'data: {"kind":"open","mode":"live","cursor":"5f2c91ab-1","heartbeat":7.5,"edge":"edge-a"}\n\n'
    )
    assert harness.place(subscriber) is Place.LIVE


def test_stream_that_resumes_goes_on_where_it_was() -> None:
    harness = Harness()
    harness.append(*make_entries("log", "log", "log"))
    subscriber = harness.attach(JOB, cursor=1, mode=Mode.RESUMED)
    harness.serve()

    assert kinds(harness.read(subscriber)) == [("1", "open"), ("2", "log"), ("3", "log")]
    assert harness.engine.counts.replays == {"tail": 1, "jetstream": 0}


def test_id_of_another_stream_is_reset() -> None:
    harness = Harness()
    harness.append(*make_entries("log"))
    subscriber = harness.attach(JOB, mode=Mode.RESET)
    harness.serve()

    (_, kind, opened), (event_id, *reset) = parse(harness.read(subscriber))
    assert (kind, opened["mode"]) == ("open", "reset")
    assert (event_id, reset) == ("1", ["reset", {"why": "epoch", "cursor": "5f2c91ab-1"}])
    assert harness.engine.counts.resets == 1


def test_id_older_than_retention_is_told_of_the_gap() -> None:
    harness = Harness()
    harness.engine.open_log(EPOCH, 5, 6)
    harness.append(*make_entries("log", after=6))
    subscriber = harness.attach(JOB, cursor=2, mode=Mode.RESUMED)
    harness.serve()

    (_, _, opened), (gap_id, *gap) = parse(harness.read(subscriber))
    assert opened["mode"] == "gap"
    assert (gap_id, gap) == (
        "4",
        ["gap", {"from": "5f2c91ab-3", "to": "5f2c91ab-4", "why": "retention"}],
    )
    assert harness.place(subscriber) is Place.COLD
    assert harness.engine.counts.gaps == 1


def test_id_ahead_of_this_edge_waits_until_the_edge_has_come_so_far() -> None:
    harness = Harness()
    harness.append(*make_entries("log"))
    subscriber = harness.attach(JOB, cursor=3, mode=Mode.RESUMED)
    harness.serve()
    assert harness.place(subscriber) is Place.AHEAD
    assert parse(harness.read(subscriber))[0][2]["mode"] == "resumed"

    harness.append(*make_entries("log", after=1))
    assert harness.place(subscriber) is Place.AHEAD
    harness.append(*make_entries("log", "log", after=2))

    assert kinds(harness.read(subscriber)) == [("4", "log")]
    assert harness.place(subscriber) is Place.LIVE


def test_id_ahead_of_the_stream_is_reset_once_the_leader_says_so() -> None:
    harness = Harness()
    harness.append(*make_entries("log"))
    subscriber = harness.attach_live(JOB, cursor=3, mode=Mode.RESUMED)
    harness.engine.settle(1, 3)
    harness.serve()
    assert harness.place(subscriber) is Place.AHEAD

    harness.engine.settle(1, 2, asked=harness.now - 1)
    harness.serve()
    assert harness.place(subscriber) is Place.AHEAD  # 3 may have been stored after the question

    harness.engine.settle(1, 2, asked=harness.now + 1)
    harness.serve()
    assert parse(harness.read(subscriber)) == [("1", "reset", {"why": "ahead", "cursor": "5f2c91ab-1"})]
    assert harness.place(subscriber) is Place.LIVE


def test_snapshot_comes_first_and_is_resumed_by_its_own_ids() -> None:
    harness = Harness()
    entries = make_entries("log", "log", "log")
    harness.append(*entries)
    subscriber = harness.attach(JOB, snapshot=[entries[0], entries[2]])
    harness.append(*make_entries("log", after=3))

    (event_id, kind, opened), *events = parse(harness.read(subscriber))
    assert (event_id, kind, opened["cursor"]) == ("", "open", "5f2c91ab-3")
    assert [(event_id, kind) for event_id, kind, _ in events] == [("1", "log"), ("3", "log"), ("4", "log")]


@pytest.mark.parametrize("written", range(0, 400, 7))
def test_snapshot_that_is_cut_off_goes_on(written: int) -> None:
    harness = Harness(batch_events=2)
    entries = make_entries("log", "log", "log")
    harness.append(*entries)
    subscriber = harness.attach(JOB, snapshot=entries)
    harness.room[subscriber] = written
    harness.serve()
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("", "open"), ("1", "log"), ("2", "log"), ("3", "log")]


@pytest.mark.parametrize("written", [0, 30])
def test_empty_snapshot_begins_at_its_head(written: int) -> None:
    harness = Harness()
    harness.append(*make_entries("log", "log"))
    subscriber = harness.attach(JOB, snapshot=[])
    harness.room[subscriber] = written
    harness.serve()
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("2", "open")]


# At the head


def test_live_streams_of_one_interest_share_every_batch() -> None:
    harness = Harness()
    one, other, stranger = (harness.attach_live(make_interest(f"acme.jobs.{job}")) for job in "aab")
    writes = harness.engine.append(make_entries("log", "log"), harness.now)

    ((group, batch),) = writes
    assert list(group.live) == [one, other]
    assert list(group.live.values()) == ["handle", "handle"]
    assert kinds(batch.data) == [("1", "log"), ("2", "log")]
    assert stranger.place is Place.LIVE
    assert harness.engine.counts.events == 2
    assert harness.engine.counts.deliveries == 3 + 4


def test_types_are_filtered() -> None:
    harness = Harness()
    harness.append(*make_entries("log", "progress"))
    interest = make_interest("acme.jobs.a", types=frozenset({"log"}))
    live, resumed = harness.attach_live(interest), harness.attach_live(interest, cursor=0)
    harness.append(*make_entries("progress", "log", after=2))

    assert kinds(harness.read(live)) == [("4", "log")]
    assert kinds(harness.read(resumed)) == [("4", "log")]


def test_lines_are_written_as_json() -> None:
    harness = Harness()
    subscriber = harness.attach(make_interest("acme.jobs.a", form=Format.NDJSON))
    harness.append(*make_entries("log"))

    lines = [msgspec.json.decode(line) for line in harness.read(subscriber).splitlines()]
    assert [(line["id"], line["type"]) for line in lines] == [("5f2c91ab-0", "tailrace"), ("5f2c91ab-1", "log")]


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


# The end of a stream


def test_closing_tells_why_and_when_to_come_back() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    batch = harness.engine.close(subscriber, CloseReason.DRAIN, 1500)

    assert parse(batch.data) == [("", "closing", {"reason": "drain", "retry": 1500})]
    assert batch.last
    assert harness.place(subscriber) is Place.CLOSED


def test_closing_before_anything_was_served_opens_first() -> None:
    harness = Harness()
    batch = harness.engine.close(harness.attach(JOB), CloseReason.DRAIN, None)

    assert [kind for _, kind in kinds(batch.data)] == ["open", "closing"]


@pytest.mark.parametrize("place", list(Place))
def test_stream_that_ends_leaves_nothing_behind(place: Place) -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries("log", "log"))
    cursors = {Place.COLD: 0, Place.READING: 0, Place.AHEAD: 9}
    options: dict[str, Any] = {"max_rate": 1.0} if place in (Place.WAITING, Place.PACED) else {}
    subscriber = harness.attach(make_interest("acme.jobs.a", **options), cursor=cursors.get(place))
    if place is not Place.READY:
        harness.serve()
    match place:
        case Place.READING:
            harness.plan()
        case Place.PACED:
            harness.append(*make_entries("log", after=2))
            harness.append(*make_entries("log", after=3))
        case Place.BLOCKED:
            harness.room[subscriber] = 0
            harness.append(*make_entries("log", after=2))
        case Place.CLOSED:
            harness.engine.detach(subscriber)
    assert harness.place(subscriber) is place

    harness.engine.detach(subscriber)
    harness.engine.detach(subscriber)

    assert harness.engine.next_ready(harness.now + 100) is None
    assert harness.engine.plan_reading() is None
    assert harness.engine.append(make_entries("log", after=9), harness.now) == []
    assert list(harness.engine.turn(harness.now)) + list(harness.engine.turn(harness.now + 100)) == []
    assert harness.engine.subscribers == []
    assert harness.engine.count_subscribers() == harness.engine.count_live() == 0
    assert list(harness.engine._hub) == []


# Another log


def test_new_log_resets_everyone() -> None:
    harness = Harness(**TAIL_OF_ONE)
    harness.append(*make_entries("log", "log"))
    live, cold = harness.attach_live(JOB), harness.attach_live(JOB, cursor=0)
    reading = harness.plan()
    harness.engine.open_log("deadbeef", 4, 5)
    harness.feed(reading, *make_entries("log"))
    harness.engine.end_reading(reading)
    harness.serve()

    for subscriber in (live, cold):
        assert harness.place(subscriber) is Place.LIVE
        assert parse(harness.read(subscriber)) == [
            ("deadbeef-5", "reset", {"why": "epoch", "cursor": "deadbeef-5"}),
        ]


def test_new_log_resets_a_blocked_one_once_it_takes_again() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    harness.room[subscriber] = 4
    harness.append(*make_entries("log"))
    harness.engine.open_log("deadbeef", 1, 0)
    assert harness.place(subscriber) is Place.BLOCKED
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("1", "log"), ("deadbeef-0", "reset")]


def test_what_passed_unseen_is_a_gap_for_everyone() -> None:
    harness = Harness(lag_after=10)
    harness.append(*make_entries("log", "log"))
    live = harness.attach_live(JOB)
    waiting = harness.attach_live(make_interest("acme.jobs.a", max_rate=1.0))
    behind = harness.attach_live(JOB, cursor=0)
    ahead = harness.attach_live(JOB, cursor=9, mode=Mode.RESUMED)
    further = harness.attach_live(JOB, cursor=10, mode=Mode.RESUMED)
    harness.room[behind] = 0
    harness.append(*make_entries("log", after=2))
    harness.read(live)
    harness.read(waiting)
    harness.now += 1
    harness.engine.pass_over(9)
    harness.serve()
    harness.unblock(behind)

    gap = {"from": "5f2c91ab-4", "to": "5f2c91ab-9", "why": "retention"}
    assert parse(harness.read(live)) == [("9", "gap", gap)]
    assert parse(harness.read(waiting)) == [("9", "gap", gap)]
    assert parse(harness.read(behind)) == [("3", "log", 3), ("9", "gap", gap)]
    assert harness.read(ahead) == b""
    assert [s.place for s in (live, waiting, behind, ahead, further)] == [
        *(Place.LIVE, Place.WAITING, Place.LIVE, Place.LIVE, Place.AHEAD),
    ]


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


# Until the last job's end


def watch(harness: Harness, *patterns: str, terminal: dict[str, bool] | None = None, **options: Any) -> Subscriber:
    interest = make_interest(*patterns, until_terminal=True)
    known = Watch(interest.patterns, harness.engine.log.head, terminal or {})
    return harness.attach_live(interest, watch=known, **options)


def test_stream_ends_with_the_last_job() -> None:
    harness = Harness()
    subscriber = watch(harness, "acme.jobs.*", "acme.build")
    harness.append(*make_entries("start", "complete"))
    assert subscriber not in harness.last
    harness.append(make_entry(3, "acme.build", "failed"), make_entry(4, "acme.jobs.b", "start"))

    assert parse(harness.read(subscriber))[-2:] == [("3", "failed", 3), ("3", "closing", {"reason": "finished"})]
    assert subscriber in harness.last


@pytest.mark.parametrize("written", range(0, 260, 5))
def test_stream_ends_once_all_was_taken(written: int) -> None:
    harness = Harness()
    subscriber = watch(harness, "acme.jobs.a", "acme.jobs.b")
    harness.room[subscriber] = written
    harness.append(
        make_entry(1, "acme.jobs.b", "complete"),
        make_entry(2, "acme.jobs.b", "start"),
        make_entry(3, "acme.jobs.a", "complete"),
    )
    harness.unblock(subscriber)
    assert kinds(harness.read(subscriber)) == [("1", "complete"), ("2", "start"), ("3", "complete")]
    harness.append(make_entry(4, "acme.jobs.b", "complete"))

    assert kinds(harness.read(subscriber)) == [("4", "complete"), ("4", "closing")]
    assert subscriber in harness.last


@pytest.mark.parametrize("written", range(1, 120, 3))
def test_end_of_a_stream_survives_a_cut(written: int) -> None:
    harness = Harness()
    subscriber = watch(harness, "acme.jobs.a")
    harness.room[subscriber] = written
    harness.append(*make_entries("complete"))
    assert subscriber in harness.rest
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("1", "complete"), ("1", "closing")]
    assert subscriber in harness.last


def test_stream_of_jobs_that_had_ended_replays_and_ends() -> None:
    harness = Harness()
    harness.append(*make_entries("start", "complete"))
    interest = make_interest("acme.jobs.a", until_terminal=True)
    subscriber = harness.attach(interest, cursor=0, watch=Watch(interest.patterns, 2, {"acme.jobs.a": True}))
    harness.append(*make_entries("start", after=2))

    assert kinds(harness.read(subscriber)) == [("0", "open"), ("1", "start"), ("2", "complete"), ("2", "closing")]


def test_types_do_not_hide_the_end() -> None:
    harness = Harness()
    interest = make_interest("acme.jobs.a", types=frozenset({"log"}), until_terminal=True)
    subscriber = harness.attach_live(interest, watch=Watch(interest.patterns, 0, {}))
    harness.append(*make_entries("log", "complete"))

    assert kinds(harness.read(subscriber)) == [("1", "log"), ("1", "closing")]


def test_slow_reader_is_told_nothing_after_closing() -> None:
    harness = Harness()
    subscriber = watch(harness, "acme.jobs.a")
    harness.room[subscriber] = 0
    harness.append(*make_entries("start"))
    harness.append(*make_entries("complete", after=1))
    harness.now += 10
    harness.unblock(subscriber)

    assert kinds(harness.read(subscriber)) == [("1", "start"), ("2", "complete"), ("2", "closing")]


@pytest.mark.parametrize("what", ["gap", "reset", "known too little"])
def test_stream_goes_on_where_nobody_knows_how_the_jobs_stand(what: str) -> None:
    harness = Harness()
    subscriber = watch(harness, "acme.jobs.*", cursor=3 if what == "known too little" else 0)
    match what:
        case "gap":
            harness.engine.pass_over(3)
        case "reset":
            harness.engine.open_log(EPOCH, 1, 3)
    harness.append(*make_entries("log", "complete", after=3))

    assert kinds(harness.read(subscriber))[-1] == ("5", "complete")
    assert subscriber not in harness.last


def test_gap_before_what_is_known_hides_no_job() -> None:
    harness = Harness()
    harness.engine.open_log(EPOCH, 5, 6)
    subscriber = watch(harness, "acme.jobs.*", cursor=0, terminal={"acme.jobs.a": False})
    assert harness.place(subscriber) is Place.COLD
    harness.engine.end_reading(harness.plan(until=0))
    harness.append(*make_entries("complete", after=6))

    assert kinds(harness.read(subscriber))[-1] == ("7", "closing")


# Older than the tail


def make_cold(*cursors: int, interest: Any = JOB, count: int = 20, **limits: Any) -> tuple[Harness, list[Subscriber]]:
    harness = Harness(**(TAIL_OF_ONE | limits))
    harness.append(*make_entries(*["log"] * count))
    subscribers = [harness.attach_live(interest, cursor=cursor) for cursor in cursors]
    assert [subscriber.place for subscriber in subscribers] == [Place.COLD] * len(cursors)
    assert harness.engine.waits_for_reading
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
    assert list(reading.members) == [other]

    harness.unblock(slow)
    assert slow.place is Place.COLD
    assert harness.plan().after == 3
    assert kinds(harness.read(slow)) == [("3", "log")]


def test_member_that_is_ready_for_more_is_given_it_by_another_reading() -> None:
    harness, (slow,) = make_cold(2, batch_bytes=1, interest=make_interest("acme.jobs.a", max_rate=0.1))
    reading = harness.plan()
    harness.feed(reading, make_entry(3, "acme.jobs.a", "complete"), make_entry(4, "acme.jobs.a", "complete"))
    harness.feed(reading, make_entry(5, "acme.jobs.a", "complete"))

    assert (slow.place, slow.cursor, list(reading.members)) == (Place.READY, 3, [])


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
    harness.unblock(slow)
    assert slow.place is Place.READING

    for _, batch in harness.engine.catch_up(reading, harness.now):
        harness.write(slow, batch)
    assert kinds(harness.read(slow)) == [("3", "log"), ("4", "log")]


def test_member_that_left_is_given_nothing() -> None:
    harness, (subscriber,) = make_cold(2)
    reading = harness.plan()
    harness.engine.detach(subscriber)

    assert harness.engine.feed(reading, make_entries("log", after=2), harness.now) == []
    assert list(reading.members) == []


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
