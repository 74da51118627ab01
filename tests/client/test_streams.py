"""Scenarios of a stream's life, on real sockets, with both clients."""

import asyncio
import random
import threading
import time
from typing import Any

import pytest
from support.scripted_edge import (
    EPOCH,
    FINISHED,
    STREAM_HEAD,
    Peer,
    Play,
    ScriptedEdge,
    format_id,
    send,
    send_and_hold,
    write_answer,
    write_control,
    write_event,
    write_open,
    write_problem,
)
from support.shells import Shell
from tailrace_client import Client, Event, Gap, Item, LinkState, Reset, Stream, SyncClient, SyncStream
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Closing, Cursor, GapReason, Lag, Mode, ResetReason
from tailrace_protocol.errors import EdgeRefused, MalformedStream, NotFound
from tailrace_protocol.positions import parse_position
from tailrace_protocol.sse import HEARTBEAT, encode_sse

LOG = [write_event(sequence, data=f"ünï {sequence}") for sequence in range(1, 4)]


def serve(log: list[bytes], *, cut: int | None = None, reset: bool = False) -> Play:
    """Return the play of a right edge: what follows the client's id, cut off after `cut` bytes of the answer."""

    async def play(peer: Peer) -> None:
        last = peer.request.last_event_id
        after = 0 if last is None else parse_position(last).sequence
        opening = write_open(after, mode=Mode.LIVE if last is None else Mode.RESUMED, retry=1000)
        answer = STREAM_HEAD + opening + b": hb\n".join(log[after:]) + (FINISHED if cut is None else b"")
        await peer.send(answer[:cut])
        if reset:
            peer.reset()

    return play


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
    with ScriptedEdge([play for cut in cuts for play in (serve(LOG, cut=cut, reset=reset), serve(LOG))]) as edge:
        for cut in cuts:
            watched = shell.watch(edge.url, start="start")

            assert watched.data == ["ünï 1", "ünï 2", "ünï 3"], cut
            assert watched.cursor == format_id(3)
            assert len(edge.requests) % 2 == 0


def test_half_received_event_is_asked_for_again(shell: Shell) -> None:
    """The id sent when reconnecting is that of the last whole event."""
    half = LOG[1][:-1]
    with ScriptedEdge([send(STREAM_HEAD, write_open(0), LOG[0], half), serve(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert [request.last_event_id for request in edge.requests] == [None, format_id(1)]
        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]


def test_chunked_body_cut_in_a_chunk(shell: Shell) -> None:
    """A connection that breaks inside a chunk of HTTP is a lost connection like any other."""
    head = STREAM_HEAD.replace(b"connection: close", b"transfer-encoding: chunked")
    body = write_open(0) + LOG[0]
    with ScriptedEdge([send(head, b"%x\r\n%b\r\n" % (len(body), body), b"ff\r\nid: "), serve(LOG)]) as edge:
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


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, EdgeRefused), (401, EdgeRefused), (403, EdgeRefused), (404, NotFound), (422, EdgeRefused)],
)
def test_refusal_is_raised(shell: Shell, status: int, kind: type[EdgeRefused]) -> None:
    """What trying again does not mend is raised at once, with what the edge says about it."""
    with ScriptedEdge([send(write_problem(status, "No", "because of this"))]) as edge:
        watched = shell.watch(edge.url)

        assert type(watched.error) is kind
        assert isinstance(watched.error, EdgeRefused)
        assert (watched.error.status, watched.error.title, watched.error.detail) == (status, "No", "because of this")
        assert watched.states == [LinkState.ENDED]
        assert len(edge.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 524])
def test_trouble_is_waited_out(shell: Shell, status: int) -> None:
    """Overload and faults of servers are tried again, no sooner than `Retry-After` says."""
    with ScriptedEdge([send(write_problem(status, "Busy", "later", retry_after="7")), serve(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert 7 <= watched.delays[1] <= 8
        assert watched.links[0].state is LinkState.OFFLINE
        assert watched.links[0].retry_in == watched.delays[1]
        assert "Busy: later" in str(watched.links[0].reason)


@pytest.mark.parametrize(
    "head",
    [
        STREAM_HEAD.replace(b"text/event-stream", b"text/html"),
        STREAM_HEAD.replace(b"text/event-stream", b"text/event-streams"),
        STREAM_HEAD.replace(b"content-type: text/event-stream\r\n", b""),
        STREAM_HEAD.replace(b"connection", b"content-encoding: gzip\r\nconnection"),
    ],
    ids=["html", "prefix", "none", "gzip"],
)
def test_what_is_no_event_stream_is_refused(shell: Shell, head: bytes) -> None:
    """An answer of a proxy, a portal or a compressor is not read as events."""
    with ScriptedEdge([send_and_hold(head, write_open(), LOG[0])]) as edge:
        watched = shell.watch(edge.url)

        assert watched.items == []
        assert isinstance(watched.error, EdgeRefused)
        assert watched.error.title == "Not an event stream"


def test_content_type_may_have_parameters(shell: Shell) -> None:
    """The media type counts, in any case, without its parameters."""
    head = STREAM_HEAD.replace(b"text/event-stream", b"Text/Event-Stream; charset=utf-8")
    with ScriptedEdge([send(head, write_open(), LOG[0], FINISHED)]) as edge:
        assert shell.watch(edge.url).data == ["ünï 1"]


def test_closing_sends_the_client_on(shell: Shell) -> None:
    """`closing` is obeyed: back after exactly `retry`, and not counted as a failure."""
    moved = write_control(Closing(CloseReason.DRAIN, 2500))
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0), LOG[0], moved), serve(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.delays == [0, 2.5]
        assert watched.states == [LinkState.LIVE, LinkState.CONNECTING, LinkState.LIVE, LinkState.ENDED]
        assert watched.links[-1].reconnects == 1


def test_closing_for_good_is_raised(shell: Shell) -> None:
    """A stream that ends for a reason other than `finished` does not end as if all were well."""
    closing = write_control(Closing(CloseReason.TOKEN_EXPIRED))
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0), LOG[0], closing)]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1"]
        assert "token_expired" in str(watched.error)
        assert len(edge.requests) == 1


def test_retry_field_is_a_floor(shell: Shell) -> None:
    """After a lost connection the client waits for what the stream's `retry` says, and a jitter on top."""
    lost = send(STREAM_HEAD, write_open(0, retry=4000), LOG[0])
    with ScriptedEdge([lost, lost, serve(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert 4 <= watched.delays[1] <= 5
        assert 4 <= watched.delays[2] <= 6


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
    with ScriptedEdge([send_and_hold(STREAM_HEAD + write_open(0) + b"".join(LOG)), serve(LOG)]) as edge:
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


def test_silent_edge_is_left(shell: Shell) -> None:
    """Without a byte for 2.5 heartbeat intervals the link is stale, and another edge is tried."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0, heartbeat=0.04), LOG[0]), serve(LOG)]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 600})

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.LIVE, LinkState.STALE, LinkState.LIVE, LinkState.ENDED]


def test_silence_shorter_than_the_heartbeat_is_none(shell: Shell) -> None:
    """Once the stream is open, the announced interval counts, not the time that an edge has to answer."""

    async def pause(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=60))
        await asyncio.sleep(1)
        await peer.send(LOG[0] + FINISHED)

    with ScriptedEdge([pause]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 0.5})

        assert watched.data == ["ünï 1"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


@pytest.mark.parametrize("pieces", [(), (STREAM_HEAD,)], ids=["no answer", "no event"])
def test_edge_that_does_not_open_is_left(shell: Shell, pieces: tuple[bytes, ...]) -> None:
    """An edge has `timeout` to answer, and again to open the stream."""
    with ScriptedEdge([send_and_hold(*pieces), serve(LOG)]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 0.3})

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states[0] is LinkState.OFFLINE


def test_heartbeats_keep_the_link_alive(shell: Shell) -> None:
    """Comments are bytes too: with them, a stream without events lives longer than 2.5 intervals."""

    async def beat(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=1.0))
        began = time.monotonic()
        while time.monotonic() - began < 3:
            await peer.send(HEARTBEAT)
            await asyncio.sleep(0.05)
        await peer.send(LOG[0] + FINISHED)

    with ScriptedEdge([beat]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


def test_slow_loop_does_not_make_the_link_stale(shell: Shell) -> None:
    """Only waiting for bytes is timed, not what the loop does with an item."""

    async def speak_early(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=0.1) + LOG[0])
        await peer.send(LOG[1] + FINISHED)

    with ScriptedEdge([speak_early]) as edge:
        watched = shell.watch(edge.url, on_item=lambda _: time.sleep(0.6))

        assert watched.data == ["ünï 1", "ünï 2"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


def test_slow_loop_holds_the_edge_back(shell: Shell) -> None:
    """What the loop does not take stays in the kernel's buffers and then with the edge: nothing is queued."""
    frame = write_event(2, data="x" * 60_000)
    limit = 256 << 20
    sent = []
    full = threading.Event()

    async def flood(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0) + LOG[0])
        sent.append(await peer.fill(frame, limit, full=1.0))
        full.set()
        await peer.flush()
        await peer.send(LOG[2] + FINISHED)

    def hold(item: Item) -> None:
        if isinstance(item, Event) and item.id == format_id(1):
            assert full.wait(60)

    with ScriptedEdge([flood]) as edge:
        watched = shell.watch(edge.url, on_item=hold)

        assert [item.id for item in watched.items if isinstance(item, Event)] == list(map(format_id, (1, 2, 3)))
        assert sent[0] < limit / 4


def test_each_reconnect_goes_to_the_next_edge(shell: Shell) -> None:
    """Several URLs are taken in turn, and the link names the edge."""
    first = send(STREAM_HEAD, write_open(0, edge="one"), LOG[0])
    second = send(STREAM_HEAD, write_open(1, mode=Mode.RESUMED, edge="two"), LOG[1])
    with ScriptedEdge([first, serve(LOG)]) as one, ScriptedEdge([second]) as two:
        watched = shell.watch([one.url, two.url])

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert [request.last_event_id for request in one.requests] == [None, format_id(2)]
        assert [request.last_event_id for request in two.requests] == [format_id(1)]
        live = [link for link in watched.links if link.state is LinkState.LIVE]
        assert [(link.edge, link.reconnects) for link in live] == [("one", 0), ("two", 1), ("edge-1", 2)]


def test_edge_that_is_not_there(shell: Shell) -> None:
    """A refused connection is tried again at the next edge."""
    with ScriptedEdge([]) as gone:
        url = gone.url
    with ScriptedEdge([serve(LOG)]) as edge:
        watched = shell.watch([url, edge.url])

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.OFFLINE, LinkState.LIVE, LinkState.ENDED]


def test_redirect_is_followed(shell: Shell) -> None:
    """A redirected stream is read where it is; a reconnect asks the original address again."""
    with ScriptedEdge([serve(LOG[:1]), serve(LOG)]) as other:
        moved = write_answer(307, location=f"{other.url}/v1/acme/events?topic=a.%3E")
        with ScriptedEdge([send(moved)]) as edge:
            watched = shell.watch(edge.url)

            assert watched.data == ["ünï 1"]
            assert len(edge.requests) == 1


def test_refused_stream_is_closed(shell: Shell) -> None:
    """What is no event stream is not left open until the client is closed."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD.replace(b"event-stream", b"html"), b"<html>")]) as edge:

        def refuse(client: Any) -> Any:
            return refuse_sync(client) if shell.name == "sync" else refuse_async(client)

        def refuse_sync(client: SyncClient) -> None:
            with pytest.raises(EdgeRefused):
                list(client.stream("a.>"))
            edge.wait_left(1)

        async def refuse_async(client: Client) -> None:
            with pytest.raises(EdgeRefused):
                [item async for item in client.stream("a.>")]
            await asyncio.to_thread(edge.wait_left, 1)

        shell.ask(edge.url, refuse)


def test_leaving_the_loop_closes_the_connection(shell: Shell) -> None:
    """The edge sees the end of the connection while the client lives on."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0), *LOG)]) as edge:

        def leave(client: Any) -> Any:
            if shell.name == "sync":
                for _ in client.stream("a.>"):
                    break
                edge.wait_left(1)
                return None
            return leave_async(client)

        async def leave_async(client: Client) -> None:
            async for _ in client.stream("a.>"):
                break
            await asyncio.to_thread(edge.wait_left, 1)

        shell.ask(edge.url, leave)


def test_loop_over_the_same_stream_carries_on(shell: Shell) -> None:
    """A second loop begins after the last item that the first one took."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD + write_open(0) + b"".join(LOG)), serve(LOG)]) as edge:

        def read_twice(client: Any) -> Any:
            stream = client.stream("a.>")
            return read_sync(stream) if shell.name == "sync" else read_async(stream)

        def read_sync(stream: SyncStream) -> list[Item]:
            for _ in stream:
                break
            return list(stream)

        async def read_async(stream: Stream) -> list[Item]:
            async for _ in stream:
                break
            return [item async for item in stream]

        assert [item.data for item in shell.ask(edge.url, read_twice)] == ["ünï 2", "ünï 3"]


def test_random_cuts_and_doubles(shell: Shell) -> None:
    """Many connections, each cut somewhere: the whole log comes, once, in order."""
    source = random.Random(20260131)
    log = [write_event(sequence) for sequence in range(1, 301)]
    with ScriptedEdge([*(serve(log, cut=source.randrange(100, 2500)) for _ in range(150)), serve(log)]) as edge:
        watched = shell.watch(edge.url, start="start")

        assert watched.data == list(range(1, 301))
