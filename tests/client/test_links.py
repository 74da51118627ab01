"""Silence, slow loops and loops that are left, on real sockets, with both clients."""

import asyncio
import threading
import time
from typing import Any

import pytest
from support.scripted_edge import (
    FINISHED,
    LOG,
    STREAM_HEAD,
    Peer,
    ScriptedEdge,
    fill,
    format_id,
    send_and_hold,
    serve_log,
    write_event,
    write_open,
)
from support.shells import WAIT, Shell
from tailrace_client import Client, Event, Item, LinkState, Stream, SyncStream
from tailrace_protocol.sse import HEARTBEAT


def test_silent_edge_is_left(shell: Shell) -> None:
    """Without a byte for 2.5 heartbeat intervals the link is stale, and another edge is tried."""
    with ScriptedEdge([send_and_hold(STREAM_HEAD, write_open(0, heartbeat=0.04), LOG[0]), serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 600})

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.LIVE, LinkState.STALE, LinkState.LIVE, LinkState.ENDED]


def test_silence_shorter_than_the_heartbeat_is_none(shell: Shell) -> None:
    """Once the stream is open, the announced interval counts, not the time that an edge has to answer."""

    async def pause(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=60))
        await asyncio.sleep(4)
        await peer.send(LOG[0] + FINISHED)

    with ScriptedEdge([pause]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 3})

        assert watched.data == ["ünï 1"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


@pytest.mark.parametrize("pieces", [(), (STREAM_HEAD,)], ids=["no answer", "no event"])
def test_edge_that_does_not_open_is_left(shell: Shell, pieces: tuple[bytes, ...]) -> None:
    """An edge has `timeout` to answer, and again to open the stream."""
    with ScriptedEdge([send_and_hold(*pieces), serve_log(LOG)]) as edge:
        watched = shell.watch(edge.url, settings={"timeout": 2})

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states[0] is LinkState.OFFLINE


def test_heartbeats_keep_the_link_alive(shell: Shell) -> None:
    """Comments are bytes too: with them, a stream without events lives longer than 2.5 intervals."""

    async def beat(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=2.0))
        began = time.monotonic()
        while time.monotonic() - began < 6:
            await peer.send(HEARTBEAT)
            await asyncio.sleep(0.05)
        await peer.send(LOG[0] + FINISHED)

    with ScriptedEdge([beat]) as edge:
        watched = shell.watch(edge.url)

        assert watched.data == ["ünï 1"]
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


def test_slow_loop_does_not_make_the_link_stale(shell: Shell) -> None:
    """Only waiting for bytes is timed, not what the loop does with an item."""

    said = threading.Event()

    async def speak_early(peer: Peer) -> None:
        await peer.send(STREAM_HEAD + write_open(0, heartbeat=0.1) + LOG[0])
        await peer.send(LOG[1] + FINISHED)
        said.set()

    def linger(_: Item) -> None:
        assert said.wait(WAIT)
        time.sleep(0.6)

    with ScriptedEdge([speak_early]) as edge:
        watched = shell.watch(edge.url, on_item=linger)

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
        size, rest = await fill(peer, frame, limit, full=1.0)
        sent.append(size)
        full.set()
        if rest is not None:
            await rest
        await peer.send(LOG[2] + FINISHED)

    def hold(item: Item) -> None:
        if isinstance(item, Event) and item.id == format_id(1):
            assert full.wait(WAIT)

    with ScriptedEdge([flood]) as edge:
        watched = shell.watch(edge.url, on_item=hold)

        assert [item.id for item in watched.items if isinstance(item, Event)] == list(map(format_id, (1, 2, 3)))
        assert sent[0] < limit / 4


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
    with ScriptedEdge([send_and_hold(STREAM_HEAD + write_open(0) + b"".join(LOG)), serve_log(LOG)]) as edge:

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
