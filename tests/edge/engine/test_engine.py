from typing import Any

import msgspec
import pytest
from edge.engine.samples import (
    EPOCH,
    JOB,
    TAIL_OF_ONE,
    Harness,
    kinds,
    make_entries,
    make_entry,
    make_interest,
    parse,
)
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.subscriber import Place
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Mode

# Where a stream begins


def test_stream_opens_with_what_a_client_has_to_know() -> None:
    harness = Harness(heartbeat=7.5)
    harness.append(make_entry(1))
    subscriber = harness.attach(JOB, head=b"HTTP/1.1 200 OK\r\n\r\n", retry=1234)
    assert harness.engine.count_cold() == 0
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

    harness.engine.settle(1, 2, asked=harness.now)
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


def test_snapshots_take_turns_with_all_others() -> None:
    harness = Harness(batch_events=1)
    entries = make_entries("log", "log")
    harness.append(*entries)
    one, other = harness.attach(JOB, snapshot=entries), harness.attach(JOB, cursor=0)

    harness.engine.serve(one, harness.now)
    assert harness.engine.next_ready(harness.now) is other


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
