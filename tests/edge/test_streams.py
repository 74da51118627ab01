"""What is left behind when a connection dies while it is taken over."""

from types import SimpleNamespace
from typing import Any

import pytest
from tailrace_edge import streams
from tailrace_edge.connection import EXTENSION
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.hub import Interest


class Transport:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_a_socket_that_dies_keeps_no_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(streams, "SocketConnection", fail)
    transport, left = Transport(), []
    edge: Any = SimpleNamespace(pump=None, settings=SimpleNamespace(send_buffer=1))
    scope = {"extensions": {EXTENSION: lambda: transport}}
    interest = Interest(("acme.a",), form=Format.SSE)
    beginning: Any = None

    assert streams.StreamRoute(edge)._hand_over(scope, interest, beginning, None, lambda: left.append(1))
    assert (left, transport.aborted) == ([1], True)
