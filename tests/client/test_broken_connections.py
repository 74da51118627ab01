"""Connections that break in ways httpx has no error of its own for, on real sockets."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from support.certificate import make_certificate
from support.resets import accepting, busy_loop, reset
from support.scripted_edge import (
    LOG,
    STREAM_HEAD,
    TIME,
    ScriptedEdge,
    format_id,
    send,
    serve_log,
    write_answer,
    write_open,
)
from support.shells import Shell
from tailrace_client import Client, Link, LinkState

TRIES = 20


class TestResetAsSoonAsMade:
    """As by a load balancer whose edges are all gone, or by an edge that is killed: uvloop forgets the socket."""

    async def test_stream_goes_on_at_the_next_edge(self) -> None:
        with accepting(reset) as port, ScriptedEdge([serve_log(LOG)] * TRIES) as edge:
            async with busy_loop():
                for _ in range(TRIES):
                    links: list[Link] = []
                    urls = [f"http://127.0.0.1:{port}", edge.url]
                    async with Client(urls, tenant="acme", backoff_base=0.001) as client:
                        stream = client.stream("a.>", observe=links.append)
                        assert [getattr(item, "data", item) async for item in stream] == ["ünï 1", "ünï 2", "ünï 3"]
                    assert links[0].state is LinkState.OFFLINE

    async def test_publishing_goes_on_at_the_next_edge(self) -> None:
        stored = write_answer(201, {"ids": [format_id(1)]})
        with accepting(reset) as port, ScriptedEdge([send(stored)] * TRIES) as edge:
            async with busy_loop():
                for number in range(TRIES):
                    async with Client([f"http://127.0.0.1:{port}", edge.url], tenant="acme") as client:
                        await client.publish("a.b", message_id=f"m-{number}")
            assert len(edge.requests) == TRIES


@contextmanager
def damaging(upstream: ScriptedEdge, folder: Path) -> Iterator[str]:
    """Serve an edge under TLS, and yield the URL; what follows its first answer is no TLS."""

    def relay(connected: socket.socket) -> None:
        # The client that closes first, and the connection that ends the accepting, are no failures.
        with suppress(OSError), context.wrap_socket(connected, server_side=True) as shown:
            with socket.create_connection((at.hostname, at.port)) as serving:
                serving.sendall(shown.recv(65536))
                while data := serving.recv(65536):
                    shown.sendall(data)
            if not damaged:
                damaged.append(os.write(shown.fileno(), b"no record of TLS"))
                shown.recv(1)

    at = urlsplit(upstream.url)
    damaged: list[int] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*make_certificate(folder))
    with accepting(relay) as port:
        yield f"https://127.0.0.1:{port}"


def test_damaged_tls_is_a_lost_connection(shell: Shell, tmp_path: Path) -> None:
    script = [send(STREAM_HEAD + write_open(0) + LOG[0]), serve_log(LOG)]
    with ScriptedEdge(script) as edge, damaging(edge, tmp_path) as url:
        watched = shell.watch(url)

        assert watched.data == ["ünï 1", "ünï 2", "ünï 3"]
        assert watched.states == [LinkState.LIVE, LinkState.OFFLINE, LinkState.LIVE, LinkState.ENDED]
        assert edge.requests[1].last_event_id is not None


def test_damaged_tls_does_not_end_a_call(shell: Shell, tmp_path: Path) -> None:
    answer = write_answer(200, {"topic": "a.b", "type": "message", "time": TIME, "id": format_id(1), "data": 1})
    with ScriptedEdge([send(answer[:-1]), send(answer)]) as edge, damaging(edge, tmp_path) as url:
        assert shell.ask([url, url], lambda client: client.topic("a.b")).data == 1
        assert len(edge.requests) == 2
