"""httpx-sse, whose users come back by themselves."""

from pathlib import Path

import httpx
import pytest
import stamina
from httpx_sse import aconnect_sse
from support.broker import Broker

from conformance.takeover import Record, Takeover

pytestmark = pytest.mark.timeout(300)


async def read_with_httpx_sse(url: str, record: Record) -> None:
    headers: dict[str, str] = {}
    async with httpx.AsyncClient(timeout=None) as client:
        while True:
            status = await _read_once(client, url, headers, record)
            if status == 204:
                return
            assert status == 200


@stamina.retry(on=httpx.ConnectError, attempts=None, timeout=None, wait_max=0.2)
async def _read_once(client: httpx.AsyncClient, url: str, headers: dict[str, str], record: Record) -> int:
    async with aconnect_sse(client, "GET", url, headers=headers) as source:
        if source.response.status_code == 200:
            try:
                async for event in source.aiter_sse():
                    record.add(event.id, event.event, event.data)
                    headers["last-event-id"] = event.id
            except (httpx.ReadError, httpx.RemoteProtocolError):
                pass  # the edge was killed
        return source.response.status_code


async def test_httpx_sse_reads_the_stream_across_a_takeover(broker: Broker, tmp_path: Path) -> None:
    takeover = Takeover(broker, tmp_path)
    await takeover.check(await takeover.run(read_with_httpx_sse))
