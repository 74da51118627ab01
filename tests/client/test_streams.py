"""What comes out of a stream, on real sockets, with both clients: each event once, in order, and losses by name."""

import random

import pytest
from support.scripted_edge import (
    EPOCH,
    FINISHED,
    LOG,
    STREAM_HEAD,
    ScriptedEdge,
    format_id,
    send,
    send_and_hold,
    serve_log,
    write_answer,
    write_control,
    write_event,
    write_open,
)
from support.shells import Shell
from tailrace_client import Event, Gap, LinkState, Reset
from tailrace_protocol.control import Cursor, GapReason, Lag, Mode, ResetReason
from tailrace_protocol.errors import MalformedStream
from tailrace_protocol.sse import encode_sse


def test_asks_for_what_was_wanted(shell: Shell) -> None:
    """The first request carries the query, the token in a header alone, and no id."""
    with ScriptedEdge([send(STREAM_HEAD, write_open(), FINISHED)]) as edge:
        shell.watch(
            edge.url + "/",
            "users.*.jobs.>",
            "a.Jane%20Doe",
            start="-10m",
            types=["progress", "complete"],
            max_rate=2.5,
            until="terminal",
            settings={"token": "secret.token"},
        )

        (request,) = edge.requests
        assert request.path == "/v1/acme/events"
        assert request.query == [
            ("topic", "users.*.jobs.>"),
            ("topic", "a.Jane%20Doe"),
            ("from", "-10m"),
            ("types", "progress,complete"),
            ("max_rate", "2.5"),
            ("until", "terminal"),
        ]
        assert request.headers["authorization"] == "Bearer secret.token"
        assert "secret" not in request.target
        assert request.headers["accept"] == "text/event-stream"
        assert request.headers["accept-encoding"] == "identity"
        assert request.last_event_id is None


def test_events_come_decoded(shell: Shell) -> None:
    """An item is the event with id, topic, type, time and data."""
    frame = write_event(7, topic="a.b", type="progress", data={"done": 1, "text": "\u2028"})
    with ScriptedEdge([send(STREAM_HEAD, write_open(), frame, FINISHED)]) as edge:
        watched = shell.watch(edge.url)

        (event,) = watched.items
        assert isinstance(event, Event)
        assert (event.id, event.topic, event.type) == (format_id(7), "a.b", "progress")
        assert event.time.isoformat() == "2026-01-31T12:00:00+00:00"
        assert event.data == {"done": 1, "text": "\u2028"}


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_cut_at_every_byte_loses_and_doubles_nothing(shell: Shell, reset: bool) -> None:
    """Wherever the first connection is cut, all events come once, in order, from the second one."""
    size = len(STREAM_HEAD + write_open(0, retry=1000) + b": hb\n".join(LOG))
    cuts = range(0, size + 1, 1 if not reset else 7)
    with ScriptedEdge(
        [play for cut in cuts for play in (serve_log(LOG, cut=cut, reset=reset), serve_log(LOG))]
    ) as edge:
        for cut in cuts:
            watched = shell.watch(edge.url, start="start")

            assert watched.data == ["ünï 1", "ünï 2", "ünï 3"], cut
            assert watched.cursor == format_id(3)
            assert len(edge.requests) % 2 == 0


def test_half_received_event_is_asked_for_again(shell: Shell) -> None:
    """The id sent when reconnecting is that of the last whole event."""
    half = LOG[1][:-1]
    with ScriptedEdge([send(STREAM_HEAD, write_open(0), LOG[0], half), serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert [request.last_event_id for request in edge.requests] == [None, format_id(1)]
        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]


def test_chunked_body_cut_in_a_chunk(shell: Shell) -> None:
    """A connection that breaks inside a chunk of HTTP is a lost connection like any other."""
    head = STREAM_HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = write_open(0) + LOG[0]
    with ScriptedEdge([send(head, b"%x\r\n%b\r\n" % (len(body), body), b"ff\r\nid: "), serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states[:2] == [LinkState.LIVE, LinkState.OFFLINE]


def test_kept_alive_connection_that_ends_cleanly(shell: Shell) -> None:
    """A chunked answer that ends on a connection that stays open is followed by another request."""
    head = STREAM_HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = write_open(0) + LOG[0]
    whole = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with ScriptedEdge([send_and_hold(whole)]) as edge:
        watched = shell.watch(edge.url, count=1)

        assert watched.data == ["ünï 1"]


def test_doubles_are_dropped(shell: Shell) -> None:
    """Events at or before the cursor are not handed over again."""
    doubled = [write_open(0), LOG[0], LOG[0], LOG[1], LOG[0], LOG[1], LOG[2], FINISHED]
    with ScriptedEdge([send(STREAM_HEAD, write_open(0), LOG[0], LOG[1]), send(STREAM_HEAD, *doubled)]) as edge:
        assert shell.watch(edge.url).data == ["ünï 1", "ünï 2", "ünï 3"]


def test_finished_answer_ends_it(shell: Shell) -> None:
    """204 ends the loop."""
    with ScriptedEdge([send(write_answer(204))]) as edge:
        watched = shell.watch(edge.url)

        assert (watched.items, watched.error, watched.states) == ([], None, [LinkState.ENDED])
        assert len(edge.requests) == 1


def test_finished_stream_ends_it(shell: Shell) -> None:
    """The reason `finished` ends the loop, even if the edge keeps the connection open."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(), LOG[0], FINISHED)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]
        assert len(edge.requests) == 1


def test_gap_stands_where_events_are_missing(shell: Shell) -> None:
    """A gap is an item, in its place; the cursor passes it when it was handed over, not before."""
    gap = Gap(format_id(2), format_id(9), GapReason.RETENTION)
    resumed = [write_open(1, mode=Mode.GAP), write_control(gap, 9), write_event(10), FINISHED]
    lost = [write_open(1, mode=Mode.GAP)]
    plays = [send(STREAM_HEAD, write_open(0), write_event(1)), send(STREAM_HEAD, *lost), send(STREAM_HEAD, *resumed)]
    with ScriptedEdge(plays) as edge:
        cursors = []
        watched = shell.watch(edge.url)
        cursors = [request.last_event_id for request in edge.requests]

        assert watched.data == [1, gap, 10]
        assert cursors == [None, format_id(1), format_id(1)]


def test_reset_begins_anew(shell: Shell) -> None:
    """A reset is an item; smaller sequences are new after it. Until it has come, the old id stands."""
    reset = Reset(ResetReason.AHEAD, format_id(4))
    opening = write_open(4, mode=Mode.RESET)
    plays = [
        send(STREAM_HEAD, write_open(8), write_event(9)),
        send(STREAM_HEAD, opening),
        send(STREAM_HEAD, opening, write_control(reset, 4), write_event(5)),
        send(STREAM_HEAD, write_open(5, mode=Mode.RESUMED), write_event(5), write_event(6), FINISHED),
    ]
    with ScriptedEdge(plays) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == [9, reset, 5, 6]
        assert [request.last_event_id for request in edge.requests] == [
            None,
            format_id(9),
            format_id(9),
            format_id(5),
        ]


def test_reset_that_did_not_come_is_asked_for_again(shell: Shell) -> None:
    """The id of an `open` that announces a reset is of the new stream; until the reset has come, the old one stands."""
    old = "0000aaaa-77"
    reset = Reset(ResetReason.EPOCH, format_id(4))
    opening = write_open(4, mode=Mode.RESET)
    plays = [
        send(STREAM_HEAD, opening),
        send(STREAM_HEAD, opening, write_control(reset, 4)),
        send(STREAM_HEAD, write_open(4, mode=Mode.RESUMED), write_event(5), FINISHED),
    ]
    with ScriptedEdge(plays) as edge:
        watched = shell.watch(edge.url, start=old)

        assert watched.data == [reset, 5]
        assert [request.last_event_id for request in edge.requests] == [old, old, format_id(4)]


def test_reset_to_another_stream_with_its_start_anew(shell: Shell) -> None:
    """A reset without an id is followed by a snapshot; cut off in between, the start is asked for again."""
    reset = write_control(Reset(ResetReason.EPOCH, f"{EPOCH}-50"))
    anew = [write_open(None, mode=Mode.RESET), reset]
    plays = [send(STREAM_HEAD, *anew), send(STREAM_HEAD, write_open(None), write_event(3), write_event(8), FINISHED)]
    with ScriptedEdge(plays) as edge:
        watched = shell.watch(edge.url, start="0000aaaa-77")

        assert watched.data[1:] == [3, 8]
        assert [request.last_event_id for request in edge.requests] == ["0000aaaa-77", None]


def test_snapshot_lies_before_the_position_it_was_taken_at(shell: Shell) -> None:
    """The cursor that `open` names without an id is not one to resume from: the snapshot's events are older."""
    plays = [send(STREAM_HEAD, write_open(None)), send(STREAM_HEAD, write_open(None), LOG[1], LOG[2], FINISHED)]
    with ScriptedEdge(plays) as edge:
        watched = shell.watch(edge.url, start="last")

        assert watched.data == ["ünï 2", "ünï 3"]
        assert [request.last_event_id for request in edge.requests] == [None, None]


def test_idle_client_resumes_from_where_it_was_told_it_is(shell: Shell) -> None:
    """Ids of `open`, `cursor` and `lag` move the cursor."""
    plays = [
        send(STREAM_HEAD, write_open(3)),
        send(STREAM_HEAD, write_open(3), write_control(Cursor(format_id(5)), 5)),
        send(STREAM_HEAD, write_open(5), write_control(Lag(2.0), 6)),
    ]
    with ScriptedEdge(plays) as edge:
        watched = shell.watch(edge.url)

        assert watched.items == []
        assert [request.last_event_id for request in edge.requests] == [None, *map(format_id, (3, 5, 6))]
        assert watched.cursor == format_id(6)


def test_cursor_is_behind_the_item_in_hand(shell: Shell) -> None:
    """What came in the same read but was not taken is not counted as served."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD + write_open(0) + b"".join(LOG)), serve_log(LOG)]) as edge:
        first = shell.watch(edge.url, count=2)
        second = shell.watch(edge.url, start=first.cursor)

        assert first.cursor == format_id(2)
        assert second.data == ["ünï 3"]


def test_unknown_control_events_are_passed_over(shell: Shell) -> None:
    """A newer edge may say what this client does not know; the id that comes with it counts."""
    unknown = encode_sse("tailrace", b'{"kind":"weather","sun":true}', format_id(2))
    with ScriptedEdge([send(STREAM_HEAD, write_open(0), unknown, LOG[1], LOG[2], FINISHED)]) as edge:
        assert shell.watch(edge.url).data == ["ünï 3"]


@pytest.mark.parametrize(
    "frame",
    [
        encode_sse("message", b"{not json", format_id(1)),
        encode_sse("message", b'{"topic":"a.b"}', format_id(1)),
        encode_sse("message", b"{}", "not-an-id"),
        encode_sse("tailrace", b'{"kind":"gap"}', format_id(1)),
    ],
    ids=["json", "fields", "id", "control"],
)
def test_nonsense_is_raised(shell: Shell, frame: bytes) -> None:
    """What no edge sends is an error, not a hole."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0), frame)]) as edge:
        watched = shell.watch(edge.url)

        assert isinstance(watched.error, MalformedStream)
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


def test_random_cuts_and_doubles(shell: Shell) -> None:
    """Many connections, each cut somewhere: the whole log comes, once, in order."""
    source = random.Random(20260131)
    log = [write_event(sequence) for sequence in range(1, 301)]
    with ScriptedEdge([*(serve_log(log, cut=source.randrange(100, 2500)) for _ in range(150)), serve_log(log)]) as edge:
        watched = shell.watch(edge.url, start="start")

        assert watched.data == list(range(1, 301))
