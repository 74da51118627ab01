"""The story: 1,000 events, while the edge is killed and a connection reset, each time in the middle of an event."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from support.broker import Broker
from support.edge import EdgeProcess
from tailrace_producer import Producer
from tailrace_protocol.control import CONTROL_TYPE

from conformance.third_party.proxy import BreakingProxy

CUTS = (333, 667)
"""Numbers of the events in whose middle a connection ends."""

LULL = 900
"""Number of the event before which all of them get a heartbeat. What follows is live."""

WAIT = 400.0
"""Seconds after which a client that is not done yet has failed."""

_TESTS = Path(__file__).parents[2]
_QUERY = "/v1/acme/events?topic=orders.*&topic=jobs.wire&from=start&until=terminal"
_TYPES = ("message", "progress", "invoice.paid")
_HOSTILE = (
    "line\u2028paragraph\u2029next\u0085tab\u000bfeed\u000cbom\ufeffwave\U0001f30a\r\n\ndata: no\n\nid: no\n\n: hb\n\n"
)
_LARGE = "é" * (30 << 10)
_OPENS = [("a", "live"), ("b", "resumed"), ("b", "resumed")]

Event = tuple[str, Any, str]
"""Topic, data, type."""

Line = list[str]
"""What a program prints of an event: id, type, data."""


async def run_story(broker: Broker, folder: Path, commands: Mapping[str, Sequence[str | Path]]) -> dict[str, str]:
    """Put many clients through it side by side, each behind a proxy of its own.

    Args:
        broker: with an empty log.
        folder: for the logs.
        commands: by the client's name; the URL is added.

    Returns:
        The damage done to each one's stream, "" for none.
    """
    events = [_make_event(number) for number in range(1000)]
    settings: dict[str, Any] = {"heartbeat": 0.5, "retry": 0.1}
    first = EdgeProcess(broker.url, folder / "a", name="a", **settings)
    second = EdgeProcess(broker.url, folder / "b", name="b", **settings)
    first_cut, second_cut, last = (f'"number":{number},'.encode() for number in (*CUTS, LULL - 1))
    async with (
        Producer(broker.url, tenant="acme") as producer,
        first,
        second,
        AsyncExitStack() as stack,
        asyncio.TaskGroup() as group,
    ):
        ids = await producer.publish_many(events[:250])
        readings: dict[str, asyncio.Task[list[Line]]] = {}
        proxies: dict[str, BreakingProxy] = {}
        for name, command in commands.items():
            proxy = BreakingProxy((first.port, second.port), (first_cut, second_cut), last)
            proxies[name] = await stack.enter_async_context(proxy)
            log = folder / f"{name.replace('/', '-')}.log"
            readings[name] = group.create_task(_read([*command, proxy.url + _QUERY], log))
        ids += await producer.publish_many(events[250:500])
        await asyncio.gather(*(_reach(proxies[name].held, readings[name]) for name in commands))
        first.kill()
        ids += await producer.publish_many(events[500:LULL])
        await asyncio.gather(*(_reach(proxies[name].idle, readings[name]) for name in commands))
        ids += await producer.publish_many(events[LULL:])
        await asyncio.gather(*readings.values())
    return {name: describe_damage(reading.result(), ids, events) for name, reading in readings.items()}


def describe_damage(lines: Sequence[Line], ids: Sequence[str], events: Sequence[Event]) -> str:
    """Return in words what a client made of the stream that is not what the edges sent; "" for nothing."""
    numbers = {event_id: number for number, event_id in enumerate(ids)}
    controls = [_read_control(text) for _, kind, text in lines if kind == CONTROL_TYPE]
    read = [control for control in controls if control is not None]
    received = [line for line in lines if line[1] != CONTROL_TYPE]
    known = [numbers[line[0]] for line in received if line[0] in numbers]
    right = [numbers[line[0]] for line in received if line[0] in numbers and _is_whole(line, events[numbers[line[0]]])]
    counts = Counter(right)
    opens = [(control["edge"], control["mode"]) for control in read if control["kind"] == "open"]
    garbled: list[object] = [number for number in known if number not in right]
    garbled += ["unknown id"] * (len(received) - len(known)) + ["control"] * (len(controls) - len(read))
    findings: dict[str, Sequence[object]] = {
        "lost": [number for number in range(len(events)) if not counts[number]],
        "twice": [number for number in counts if counts[number] > 1],
        "garbled": garbled,
        "out of order": [later for earlier, later in pairwise(right) if later < earlier],
        "opened": [] if opens == _OPENS else [f"{edge} {mode}" for edge, mode in opens],
    }
    return "; ".join(f"{name} {_shorten(found)}" for name, found in findings.items() if found)


def _read_control(text: str) -> dict[str, Any] | None:
    try:
        control: dict[str, Any] = json.loads(text)
    except ValueError:
        return None
    return control


def _is_whole(line: Line, event: Event) -> bool:
    _, kind, text = line
    topic, data, event_type = event
    try:
        body = json.loads(text)
    except ValueError:
        return False
    return (kind, body["type"], body["topic"], body["data"]) == (event_type, event_type, topic, data)


def _shorten(found: Sequence[object]) -> str:
    shown = ", ".join(map(str, found[:4]))
    return shown if len(found) <= 4 else f"{shown} and {len(found) - 4} more"


def _make_event(number: int) -> Event:
    if number == 999:
        return "jobs.wire", {"number": number}, "complete"
    text = _LARGE if number % 250 == 249 else _HOSTILE
    topic = "jobs.wire" if number % 3 == 0 else f"orders.{number % 7}é"
    return topic, {"number": number, "text": text}, _TYPES[number % 3]


async def _read(command: Sequence[str | Path], log: Path) -> list[Line]:
    """Return what a program printed, until it ended or had its time."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=errors, limit=1 << 20, cwd=_TESTS
        )
    assert process.stdout is not None
    lines: list[Line] = []
    try:
        async with asyncio.timeout(WAIT):
            # Where the program crashed, half a line may come last.
            while (line := await process.stdout.readline()).endswith(b"\n"):
                lines.append(json.loads(line))
    except TimeoutError:
        pass  # what it lacks tells
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return lines


async def _reach(point: asyncio.Event, reading: asyncio.Task[list[Line]]) -> None:
    """Return when a client has come to a point, or will not come there any more."""
    waiting = asyncio.create_task(point.wait())
    await asyncio.wait([waiting, reading], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
