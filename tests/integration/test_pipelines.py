"""Requests that a client sends before the one before is answered, and what goes wrong on the connection meanwhile."""

import asyncio

import pytest
from support.calls import call
from support.edge import EdgeProcess

SLOW = b"GET /v1/stats?cluster=true HTTP/1.1\r\nhost: edge\r\n\r\n"
"""Takes as long as the other edges have to answer."""

QUICK = b"GET /livez HTTP/1.1\r\nhost: edge\r\n\r\n"
HELD = (
    b"POST /v1/acme/events HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\n"
    b"expect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
)


async def check_answered(edge: EdgeProcess) -> None:
    """What was asked before is answered by now, and nothing was an error of the edge's own."""
    for _ in range(4):
        assert (await call(edge, "/v1/stats?cluster=true")).status_code == 200
    assert edge.find_errors() == []


@pytest.mark.parametrize("before", [SLOW, SLOW + SLOW, SLOW + QUICK, SLOW + HELD, HELD], ids=range(5))
async def test_what_is_no_request_ends_those_that_are_answered_still(edge: EdgeProcess, before: bytes) -> None:
    for _ in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(before + b"no request\r\n\r\n")
        received = await reader.read()
        writer.close()
        assert received.startswith(b"HTTP/1.1 400 ")
        assert received.count(b"HTTP/1.1 ") == 1
    await check_answered(edge)
