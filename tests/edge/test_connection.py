"""uvicorn's protocol as an edge has it, without sockets. With them it is in tests/integration."""

import asyncio
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from tailrace_edge.connection import DetachableProtocol
from uvicorn.server import ServerState


class Line(asyncio.Transport):
    """A transport that notes what is written, and takes nothing once it is gone, as uvloop's."""

    gone = False

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        if self.gone:
            raise RuntimeError("the handler is closed")
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.gone

    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def test_a_client_that_goes_is_answered_nothing_more() -> None:
    """uvicorn tells the newest request only; the one that is answered may be another, if the client did not wait."""
    open_gate = asyncio.Event()
    outcomes: list[BaseException | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await open_gate.wait()
        try:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
        except RuntimeError as error:
            outcomes.append(error)
        else:
            outcomes.append(None)

    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    line = Line()
    protocol = DetachableProtocol(config, ServerState(), app_state={})
    protocol.connection_made(line)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: edge\r\n\r\n" * 3)
    tasks = list(protocol.tasks)
    line.gone = True
    protocol.connection_lost(None)
    open_gate.set()
    await asyncio.wait(tasks)

    assert outcomes == [None]
    assert line.written == []
