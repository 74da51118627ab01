"""Retention that is faster than an edge: what is gone unseen is announced, to open streams too."""

import signal
from pathlib import Path

import msgspec
from support.broker import Broker, create_stream, read_stream
from support.edge import EdgeProcess
from support.stream import open_stream
from tailrace_producer import Producer
from tailrace_protocol.control import CONTROL_TYPE


async def test_events_dropped_before_an_edge_read_them_are_a_gap(bare_broker: Broker, tmp_path: Path) -> None:
    """The stream holds little, and a frozen edge comes back when its consumer's next messages are gone."""
    await create_stream(bare_broker.url, max_bytes=200_000)
    async with (
        EdgeProcess(bare_broker.url, tmp_path / "edge") as edge,
        Producer(bare_broker.url, tenant="acme") as producer,
        open_stream(edge.url, ">") as stream,
    ):
        await stream.next_control("open")
        edge.signal(signal.SIGSTOP)
        await producer.publish_many(("a", "x" * 500) for _ in range(5_000))
        edge.signal(signal.SIGCONT)
        last = await producer.publish("end")
        seen: set[int] = set()
        gone: set[int] = set()
        while True:
            event = await stream.next()
            assert event is not None
            if event.event != CONTROL_TYPE:
                sequence = int(event.last_event_id.partition("-")[2])
                assert not seen or sequence > max(seen)
                seen.add(sequence)
                if event.last_event_id == last:
                    break
                continue
            control = msgspec.json.decode(event.data)
            if control["kind"] == "gap":
                first, to = (int(control[name].partition("-")[2]) for name in ("from", "to"))
                gone |= set(range(first, to + 1))
        assert seen | gone == set(range(1, 5_002))
        stored = {sequence for sequence, _, _ in await read_stream(bare_broker.url)}
        assert not gone & stored
