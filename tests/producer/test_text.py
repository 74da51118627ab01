"""Token streams: what was written is what a reader gets, whatever happens and whenever the reader comes."""

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import msgspec
import pytest
from nats.aio.msg import Msg
from producer.faults import is_ack, proxy_to, read_events, shorten_retries, wait_until
from support.broker import PATIENCE, Broker, connect, request
from support.edge import EdgeProcess
from tailrace_producer import JobCancelled, Producer, Settings, SyncProducer, TextEnded, TextStream, text_stream
from tailrace_producer.text_stream import ROLLUP_EVENTS
from tailrace_protocol.commands import RollUp, format_rollup_subject
from tailrace_protocol.errors import InvalidInput, OutboxFull, ProducerClosed
from tailrace_protocol.positions import parse_position
from tailrace_protocol.stream import STREAM
from tailrace_protocol.texts import TextState, TextStatus

EAGER = Settings(text_interval=0, text_batch=1, ack_timeout=PATIENCE)
"""Each batch is sent as soon as the one before is stored, and only once."""


def fold(events: list[tuple[int, str, str, Any]]) -> TextState:
    state = TextState()
    for _, _, event_type, data in events:
        state.take(event_type, data)
    return state


async def store(stream: TextStream, length: int) -> None:
    """Wait until so many characters are stored."""
    with anyio.fail_after(PATIENCE):
        while stream._stored < length:  # noqa: ASYNC110  # thousands of times: polling less often would take long
            await asyncio.sleep(0)


@asynccontextmanager
async def purging(broker: Broker) -> AsyncIterator[list[RollUp]]:
    """In an edge's place: do what roll-ups ask for."""
    asked: list[RollUp] = []
    async with await connect(broker.url) as client:

        async def purge(message: Msg) -> None:
            rollup = msgspec.json.decode(message.data, type=RollUp)
            subject = message.subject.replace("rollups.", "events.", 1)
            await request(
                client, f"STREAM.PURGE.{STREAM}", {"filter": subject, "seq": parse_position(rollup.id).sequence}
            )
            asked.append(rollup)

        await client.subscribe("rollups.>", cb=purge)
        await client.flush()
        yield asked


async def test_text_begins_grows_and_ends(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        async with producer.stream("chats.17", title="Chat", metadata={"model": "m"}) as out:
            assert out.topic == "chats.17"
            out.write("Hel")
            await store(out, 3)
            out.write("lo, ")
            await store(out, 7)
            out.write("wörld 😀")
            out.complete(finish_reason="stop", usage={"out": 3})
        assert out.status is TextStatus.COMPLETE

    events = await read_events(broker.url)
    start = {"title": "Chat", "metadata": {"model": "m"}}
    assert [event[1:] for event in events] == [
        ("chats.17", "start", start),
        ("chats.17", "token", {"offset": 0, "text": "Hel"}),
        ("chats.17", "token", {"offset": 3, "text": "lo, "}),
        (
            "chats.17",
            "complete",
            {
                "length": 14,
                "text": "Hello, wörld 😀",
                "finish_reason": "stop",
                "usage": {"out": 3},
                "start": start,
            },
        ),
    ]


async def test_tokens_are_gathered_by_time_and_by_size(broker: Broker) -> None:
    settings = Settings(text_interval=3600, text_batch=100)
    async with Producer(broker.url, settings=settings) as producer, producer.stream("t") as out:
        await producer.flush()  # after the start, the first batch may go at once
        for _ in range(99):
            out.write("x")
        await producer.publish("other")
        assert [event[2] for event in await read_events(broker.url)] == ["start", "message"]
        out.write("x")
        await store(out, 100)

    tokens = [event[3]["text"] for event in await read_events(broker.url) if event[2] == "token"]
    assert tokens == ["x" * 100]


async def test_first_token_goes_at_once_and_a_batch_when_its_time_has_come(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.stream("t") as out:
        await wait_until(lambda: out._said_start)
        out._earliest = 0.0
        out.write("a")
        await store(out, 1)
        for token in "bcd":
            out.write(token)
        await store(out, 4)

    assert [event[3]["text"] for event in await read_events(broker.url) if event[2] == "token"] == ["a", "bcd"]


async def test_late_reader_gets_few_events_and_no_text_is_missing(broker: Broker) -> None:
    text = [f"token {number} " for number in range(200)]
    most = rollups = 0
    async with purging(broker) as asked, Producer(broker.url, settings=EAGER) as producer:
        async with producer.stream("t", title="T") as out:
            for number, token in enumerate(text):
                out.write(token)
                await store(out, sum(map(len, text[: number + 1])))
                rollups += out._events == 0
                if out._events == ROLLUP_EVENTS - 1:
                    await wait_until(lambda: len(asked) >= rollups)  # noqa: B023  # it is called at once
                    events = await read_events(broker.url)
                    most = max(most, len(events))
                    assert fold(events).text == "".join(text[: number + 1])
                    assert fold(events).title == "T"
        await producer.flush()
        await wait_until(lambda: len(asked) >= 2)
        await wait_until(lambda: not asked or parse_position(asked[-1].id).sequence > 200)

    assert 0 < most <= 2 * ROLLUP_EVENTS
    events = await read_events(broker.url)
    assert [event[2] for event in events] == ["complete"]
    assert fold(events).text == "".join(text)


async def test_rollups_go_to_the_edges_of_the_tenant_alone(broker: Broker) -> None:
    subjects = []
    async with await connect(broker.url) as client:

        async def note(message: Msg) -> None:
            subjects.append(message.subject)

        await client.subscribe(">", cb=note)
        await client.flush()
        async with Producer(broker.url, tenant="acme") as producer, producer.stream("a.b") as out:
            out.write("x")
        await wait_until(lambda: format_rollup_subject("acme", "a.b") in subjects)


async def test_text_larger_than_an_event_is_whole(broker: Broker) -> None:
    token = '"\x00ö😀\n'
    async with purging(broker), Producer(broker.url) as producer, producer.stream("t") as out:
        for _ in range(100_000):
            out.write(token)
        out.complete(usage={"out": 100_000})

    events = await read_events(broker.url)
    state = fold(events)
    assert state.text == token * 100_000
    assert state.complete_from_start
    assert state.usage == {"out": 100_000}
    assert "text" not in events[-1][3]


async def test_text_outgrows_its_rollups(broker: Broker) -> None:
    async with purging(broker) as asked, Producer(broker.url, settings=EAGER) as producer:
        async with producer.stream("t") as out:
            for number in range(400):
                out.write(f"{number:>400}")
                await store(out, 400 * (number + 1))
        await producer.flush()

    assert asked
    state = fold(await read_events(broker.url))
    assert state.text == "".join(f"{number:>400}" for number in range(400))
    assert state.complete_from_start
    assert out._begin == out._stored  # and the producer has let go of it


async def test_tokens_wait_for_the_broker_as_one_event(broker: Broker) -> None:
    broker.kill()
    async with Producer(broker.url) as producer, producer.stream("t") as out:
        for number in range(1000):
            out.write(f"{number} ")
            await asyncio.sleep(0)
        assert producer._core.publisher.unsettled == 1
        broker.start()
        await producer.flush()
        out.write("end")

    events = await read_events(broker.url)
    assert [event[2] for event in events] == ["start", "token", "complete"]
    assert fold(events).text == "".join(f"{number} " for number in range(1000)) + "end"


async def test_nothing_lost_or_doubled_when_acknowledgements_are(broker: Broker) -> None:
    settings = Settings(ack_timeout=0.3, text_interval=0, text_batch=1)
    async with proxy_to(broker.port) as proxy, Producer(proxy.url, settings=settings) as producer:
        acks = 0

        def lose(frame: bytes) -> bool:
            nonlocal acks
            acks += is_ack(frame)
            return is_ack(frame) and acks % 40 == 7

        proxy.loses = lose
        async with producer.stream("t") as out:
            for number in range(150):
                out.write(f"{number} ")
                await store(out, 1 + out._stored)
        await producer.flush()
        assert proxy.lost >= 3

    events = await read_events(broker.url)
    assert fold(events).text == "".join(f"{number} " for number in range(150))
    assert len([event for event in events if event[2] == "token"]) == 150


async def test_event_that_may_be_stored_is_said_again(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    await shorten_retries(broker, monkeypatch)
    monkeypatch.setattr(text_stream, "RETRY_INTERVAL", PATIENCE)  # the test says when
    settings = Settings(ack_timeout=0.3)
    async with (
        proxy_to(broker.port) as proxy,
        Producer(proxy.url, settings=settings) as producer,
        producer.stream("t") as out,
    ):
        await producer.flush()
        proxy.loses = is_ack
        out.write("lost ")
        await wait_until(lambda: out._retry_at > 0)
        proxy.loses = lambda _: False
        out.write("and found")
        out._retry_at = 0.0
        out._pacer.ask(out)
        await store(out, 14)

    events = await read_events(broker.url)
    assert [event[3].get("offset") for event in events] == [None, 0, 0, None]
    assert fold(events).text == "lost and found"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "complete"),
        (ValueError("no"), "failed"),
        (JobCancelled("jobs.1"), "cancelled"),
        (asyncio.CancelledError(), "cancelled"),
        (KeyboardInterrupt(), "cancelled"),
        (GeneratorExit(), "cancelled"),
    ],
)
async def test_leaving_ends_it(broker: Broker, error: BaseException | None, status: str) -> None:
    async with Producer(broker.url) as producer:
        out = producer.stream("t")
        await out.__aenter__()
        out.write("so far")
        await out.__aexit__(None if error is None else type(error), error, None)

    *_, (_, _, event_type, data) = await read_events(broker.url)
    assert event_type == status
    assert data["text"] == "so far"
    assert data.get("error") == ({"type": "ValueError", "message": "no"} if status == "failed" else None)


async def test_from_threads_without_event_loop(broker: Broker) -> None:
    with SyncProducer(broker.url) as producer, producer.stream("t") as out:

        def write(letter: str) -> None:
            for _ in range(5000):
                out.write(letter)

        threads = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.cancel(usage={"out": 20_000})

    state = fold(await read_events(broker.url))
    assert sorted(state.text) == sorted("abcd" * 5000)
    assert (state.status, state.usage) == (TextStatus.CANCELLED, {"out": 20_000})


async def test_flush_stores_what_was_written(broker: Broker) -> None:
    settings = Settings(text_interval=3600, text_batch=1_000_000)
    async with Producer(broker.url, settings=settings) as producer, producer.stream("t") as out:
        out.write("x" * 100_000)
        await producer.flush()
        assert fold(await read_events(broker.url)).text == "x" * 100_000


async def test_lone_surrogates_stop_nothing(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.stream("t") as out:
        out.write("a\ud83d")
        out.write("\ude00b")

    assert fold(await read_events(broker.url)).text == "a??b"


async def test_text_that_memory_cannot_hold_is_refused(broker: Broker) -> None:
    broker.kill()
    settings = Settings(outbox_bytes=10_000)
    async with Producer(broker.url, settings=settings) as producer, producer.stream("t") as out:
        out.write("x" * 9_000)
        with pytest.raises(OutboxFull, match="9000 characters of the text t wait for the broker, 10000 are"):
            out.write("y" * 1_001)
        broker.start()

    assert fold(await read_events(broker.url)).text == "x" * 9_000


async def test_mistakes_are_told(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        with pytest.raises(InvalidInput):
            producer.stream("t.*")
        with pytest.raises(InvalidInput):
            producer.stream("t", metadata={"x": "y" * 5000})
        out = producer.stream("t")
        with pytest.raises(TextEnded, match="not started"):
            out.write("x")
        async with out:
            with pytest.raises(TextEnded, match="started before"):
                out.start()
            with pytest.raises(TypeError):
                out.write(None)  # type: ignore[arg-type]  # a user's mistake
            with pytest.raises(InvalidInput):
                out.complete(usage={"x": "y" * 5000})
            out.write("x")
        with pytest.raises(TextEnded, match="has ended"):
            out.write("x")
        other = producer.stream("u")
        other.start()
    with pytest.raises(ProducerClosed):
        other.write("x")

    assert fold([event for event in await read_events(broker.url) if event[1] == "t"]).text == "x"


async def test_late_reader_at_an_edge_gets_the_text_so_far_and_goes_on(broker: Broker, edge: EdgeProcess) -> None:
    written = ""
    state, seen = TextState(), 0
    async with (
        Producer(broker.url, settings=EAGER) as producer,
        producer.stream("chats.1") as out,
        httpx.AsyncClient(base_url=edge.url, headers={"accept": "application/x-ndjson"}, timeout=PATIENCE) as client,
    ):
        for number in range(3 * ROLLUP_EVENTS):
            written += f"token {number} "
            out.write(written[out._stored :])
            await store(out, len(written))
        while (await client.get("/v1/stats")).json()["head"] < 3 * ROLLUP_EVENTS + 1:  # the edge reads the start too
            pass
        parameters = {"topic": "chats.1", "from": "start", "until": "terminal"}
        async with client.stream("GET", "/v1/default/events", params=parameters) as response:
            async for line in response.aiter_lines():
                event = msgspec.json.decode(line)
                if state.take(event["type"], event["data"]):
                    seen += 1
                if state.text == written:
                    assert seen <= ROLLUP_EVENTS + 1
                    out.write("live")
                    out.complete()

    assert state.text == f"{written}live"
    assert state.status is TextStatus.COMPLETE


PAGE = (Path(__file__).parents[2] / "docs/token-streams.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("number", "topic"), [(0, "chats.17"), (1, "chats.18")])
async def test_example_of_the_docs(broker: Broker, number: int, topic: str) -> None:
    assert len(EXAMPLES) == 2
    command = [sys.executable, "-c", EXAMPLES[number].replace("nats://127.0.0.1:4222", broker.url)]
    ended = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    state = fold([event for event in await read_events(broker.url, "acme") if event[1] == topic])
    assert (state.text, state.status) == ("It is forty-two.", TextStatus.COMPLETE)
