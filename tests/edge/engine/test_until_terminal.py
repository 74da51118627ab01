from typing import Any

import pytest
from edge.engine.samples import (
    EPOCH,
    Harness,
    kinds,
    make_entries,
    make_entry,
    make_interest,
    parse,
)
from tailrace_edge.engine.subscriber import Place, Subscriber, Watch


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
