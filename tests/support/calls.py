"""Calls to an edge, as a service without a library makes them."""

from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from support.broker import PATIENCE
from support.edge import EdgeProcess
from support.waiting import wait_until


async def publish(
    edge: EdgeProcess, *events: tuple[str, Any] | tuple[str, Any, str], tenant: str = "acme"
) -> list[str]:
    """Publish events, (topic, data) or (topic, data, type), through the edge, and return their ids."""
    body = [{"topic": event[0], "data": event[1], "type": (*event, "message")[2]} for event in events]
    async with httpx.AsyncClient(timeout=PATIENCE, verify=edge.tls or False) as client:
        answer = await client.post(f"{edge.url}/v1/{tenant}/events", json=body)
        assert answer.status_code == 201, answer.text
        ids: list[str] = answer.json()["ids"]
        return ids


async def call(edge: EdgeProcess, path: str, *, method: str = "GET", **options: Any) -> httpx.Response:
    """Return the answer to one request on a connection of its own; `path` goes out as it is."""
    # Where there is no TLS, there is nothing to verify, and 20 ms are not spent on reading all authorities.
    async with httpx.AsyncClient(timeout=PATIENCE, verify=edge.tls or False) as client:
        return await client.request(method, f"{edge.url}{path}", **options)


async def read(edge: EdgeProcess, path: str, **query: Any) -> Any:
    """Return the JSON that a GET is answered with; `from_` is `from`."""
    answer = await call(edge, path, params={name.rstrip("_"): value for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def wait_head(edge: EdgeProcess, event_id: str) -> None:
    """Wait until an edge has read up to an event, which a stream from now might bring otherwise."""

    async def reached() -> bool:
        head: int = (await read(edge, "/v1/stats"))["head"]
        return head >= int(event_id.partition("-")[2])

    await wait_until(reached)


async def wait_empty(edge: EdgeProcess) -> None:
    """Wait until no stream of an edge is open."""

    async def empty() -> bool:
        connections: int = (await read(edge, "/v1/stats"))["connections"]
        return connections == 0

    await wait_until(empty)


def data_of(event: Any) -> Any:
    """Return the data of an event as a stream's decoder gives it."""
    return msgspec.json.decode(event.data)["data"]


def ids_of(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["id"] for event in events]


async def read_pages(edge: EdgeProcess, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return all pages of a list."""
    pages = [await read(edge, path, **query)]
    while (following := pages[-1]["next"]) is not None:
        name = "from_" if path.endswith("history") else "page"
        pages.append(await read(edge, path, **(query | {name: following})))
    return pages
