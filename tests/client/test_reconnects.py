"""What brings a stream back, and what ends it, on real sockets, with both clients."""

import asyncio
from typing import Any

import pytest
from support.broker import pick_ports
from support.scripted_edge import (
    FINISHED,
    LOG,
    STREAM_HEAD,
    Peer,
    ScriptedEdge,
    format_id,
    send,
    send_and_hold,
    serve_log,
    write_answer,
    write_control,
    write_open,
    write_problem,
)
from support.shells import Shell
from tailrace_client import Client, LinkState, SyncClient, Unauthorized
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Closing, Mode
from tailrace_protocol.errors import EdgeRefused, NotFound


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, EdgeRefused), (401, Unauthorized), (403, EdgeRefused), (404, NotFound), (422, EdgeRefused)],
)
def test_refusal_is_raised(shell: Shell, status: int, kind: type[EdgeRefused]) -> None:
    """What trying again does not mend is raised at once, with what the edge says about it."""
    with ScriptedEdge([send(write_problem(status, "No", "because of this"))]) as edge:
        watched = shell.watch(edge.url)

        assert type(watched.error) is kind
        assert isinstance(watched.error, EdgeRefused)
        assert (watched.error.status, watched.error.title, watched.error.detail) == (status, "No", "because of this")
        assert watched.states == [LinkState.UNAUTHORIZED if status == 401 else LinkState.ENDED]
        assert len(edge.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 524])
def test_trouble_is_waited_out(shell: Shell, status: int) -> None:
    """Overload and faults of servers are tried again, no sooner than `Retry-After` says."""
    with ScriptedEdge([send(write_problem(status, "Busy", "later", retry_after="7")), serve_log(LOG)]) as edge:
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
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0), LOG[0], moved), serve_log(LOG)]) as edge:
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
    with ScriptedEdge([lost, lost, serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url)

        assert 4 <= watched.delays[1] <= 5
        assert 4 <= watched.delays[2] <= 6


def test_each_reconnect_goes_to_the_next_edge(shell: Shell) -> None:
    """Several URLs are taken in turn, and the link names the edge."""
    first = send(STREAM_HEAD, write_open(0, edge="one"), LOG[0])
    second = send(STREAM_HEAD, write_open(1, mode=Mode.RESUMED, edge="two"), LOG[1])
    with ScriptedEdge([first, serve_log(LOG)]) as one, ScriptedEdge([second]) as two:
        watched = shell.watch([one.url, two.url])

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert [request.last_event_id for request in one.requests] == [None, format_id(2)]
        assert [request.last_event_id for request in two.requests] == [format_id(1)]
        live = [link for link in watched.links if link.state is LinkState.LIVE]
        assert [(link.edge, link.reconnects) for link in live] == [("one", 0), ("two", 1), ("edge-1", 2)]


def test_edge_that_is_not_there(shell: Shell) -> None:
    """A refused connection is tried again at the next edge."""
    [gone] = pick_ports(1)
    with ScriptedEdge([serve_log(LOG)]) as edge:
        watched = shell.watch([f"http://127.0.0.1:{gone}", edge.url])

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.OFFLINE, LinkState.LIVE, LinkState.ENDED]


def test_redirect_is_followed(shell: Shell) -> None:
    """A redirected stream is read where it is; a reconnect asks the original address again."""
    with ScriptedEdge([serve_log(LOG[:1]), serve_log(LOG)]) as other:
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


@pytest.mark.parametrize("status", [204, 403, 503])
def test_answers_on_connections_that_are_kept_alive(shell: Shell, status: int) -> None:
    """An answer that is no stream is over when its body is; nobody waits for more on a connection that stays open."""
    answer = write_answer(status, None if status == 204 else b"{}", connection="keep-alive")

    async def kept_alive(peer: Peer) -> None:
        await peer.send(answer)
        # Closed only when the client closes it, or uses it again.
        await asyncio.get_running_loop().sock_recv(peer.connection, 1)

    with ScriptedEdge([kept_alive, send(write_answer(204))]) as edge:
        watched = shell.watch(edge.url)

        assert watched.items == []
        assert isinstance(watched.error, EdgeRefused) == (status == 403)
