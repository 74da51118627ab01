"""The outbox on disk: what a process leaves behind when it dies is published by the next, once, and in order."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from producer.faults import is_ack, proxy_to, read_events, wait_until
from producer.outboxes import check, check_order, count_rows, keep, kept, kill, list_files, publish_left, start
from support.broker import PATIENCE, Broker, connect, request
from tailrace_producer import Producer, Settings, SyncProducer, publisher
from tailrace_producer.outbox_file import Change, OutboxFile, Row, find_files
from tailrace_producer.pending import Message
from tailrace_protocol.errors import BrokerUnavailable, SetupError
from tailrace_protocol.stream import STREAM


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


async def test_events_survive_a_killed_process(broker: Broker, folder: Path) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 1000) as process:
        await wait_until(lambda: kept(folder, 1000))
        kill(process)
    broker.start()
    await publish_left(broker.url, folder)

    await check(broker.url, 1000)
    assert list_files(folder) == []


async def test_events_survive_process_after_process_and_come_before_newer_ones(broker: Broker, folder: Path) -> None:
    broker.kill()
    for first in (0, 100, 200):
        with start(broker.url, folder, first, 100) as process:
            await wait_until(lambda: kept(folder, first + 100))  # noqa: B023  # it is called at once
            kill(process)
    async with Producer(broker.url, settings=Settings(outbox_path=folder)) as producer:
        for number in range(300, 400):
            producer.enqueue(f"t.{number % 7}", number)
        broker.start()

    await check(broker.url, 400)
    assert list_files(folder) == []


async def test_process_killed_again_and_again_while_it_publishes_doubles_nothing(broker: Broker, folder: Path) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 20_000) as process:
        await wait_until(lambda: kept(folder, 20_000))
        kill(process)
    broker.start()
    async with await connect(broker.url) as client:
        for turn, stored in enumerate((1, 3000, 9000)):
            with start(broker.url, folder, 20_000 + turn, 1) as process:
                with anyio.fail_after(PATIENCE):
                    while (await request(client, f"STREAM.INFO.{STREAM}"))["state"]["messages"] < stored:
                        pass
                kill(process)
    await publish_left(broker.url, folder)

    old = [event for event in await read_events(broker.url) if event[3] < 20_000]
    assert sorted(event[3] for event in old) == list(range(20_000))
    check_order(old)


async def test_living_process_keeps_what_is_its_own(broker: Broker, folder: Path) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 10):
        await wait_until(lambda: kept(folder, 10))
        async with Producer(broker.url, settings=keep(folder)) as producer:
            producer.enqueue("t.6", 1000)
            await wait_until(lambda: kept(folder, 11))
            assert len(find_files(folder, "default")) == 2
            assert producer._core.publisher.unsettled == 1


async def test_forked_processes_have_files_of_their_own(broker: Broker, folder: Path) -> None:
    broker.kill()
    producer = SyncProducer(broker.url, settings=keep(folder))
    for number in range(50):
        producer.enqueue("t", number)
    await wait_until(lambda: kept(folder, 50))
    children = []
    for child in range(4):
        process = os.fork()
        if process == 0:
            for number in range(50):
                producer.enqueue("t", 100 * (child + 1) + number)
            deadline = time.monotonic() + PATIENCE
            while not kept(folder, 250) and time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251  # a forked process, whose event loop is not to be touched
            os._exit(0 if kept(folder, 250) else 1)
        children.append(process)
    assert [(await anyio.to_thread.run_sync(os.waitpid, process, 0))[1] for process in children] == [0] * 4
    assert len(find_files(folder, "default")) == 5
    producer.close()
    broker.start()
    await publish_left(broker.url, folder)

    numbers = [event[3] for event in await read_events(broker.url)]
    assert sorted(numbers) == [100 * process + number for process in range(5) for number in range(50)]
    for process in range(5):
        own = [number for number in numbers if number // 100 == process]
        assert own == sorted(own)


@pytest.mark.parametrize("connected", [False, True])
async def test_what_is_left_at_closing_waits_for_the_next_process(
    broker: Broker, folder: Path, connected: bool
) -> None:
    if not connected:
        broker.kill()
    settings = Settings(outbox_path=folder, ack_timeout=PATIENCE, close_timeout=0.2)
    async with Producer(broker.url, settings=settings) as producer:
        if connected:
            await wait_until(lambda: producer._core.publisher._connection is not None)
            broker.suspend()
        async with producer.job("1", total=3) as job:
            job.update(2)
        async with producer.stream("chats.1") as out:
            out.write("so far")
        producer.enqueue("t", 1)
    if connected:
        broker.resume()
    else:
        broker.start()
    await publish_left(broker.url, folder)

    said = [(topic, kind, data) for _, topic, kind, data in await read_events(broker.url)]
    assert [kind for topic, kind, _ in said if topic == "jobs.1"] == ["start", "complete"]
    assert [kind for topic, kind, _ in said if topic == "chats.1"] == ["start", "complete"]
    assert [data["done"] for topic, kind, data in said if (topic, kind) == ("jobs.1", "complete")] == [2]
    assert [data["text"] for topic, kind, data in said if (topic, kind) == ("chats.1", "complete")] == ["so far"]
    assert ("t", "message", 1) in said
    assert len(said) == 5


async def test_events_that_somebody_waits_for_are_told_and_not_kept(broker: Broker, folder: Path) -> None:
    broker.kill()
    producer = Producer(broker.url, settings=keep(folder))
    with pytest.raises(BrokerUnavailable, match="never sent"):
        await producer.publish("t", 1, timeout=0.3)
    waiting = asyncio.create_task(producer.publish("t", 2, timeout=None))
    await wait_until(lambda: kept(folder, 1))
    with pytest.raises(BrokerUnavailable):
        await producer.close()
    with pytest.raises(BrokerUnavailable, match="closed"):
        await waiting

    assert list_files(folder) == []


async def test_only_what_waits_from_one_sweep_to_the_next_is_written(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "SWEEP_INTERVAL", 60.0)  # the test sweeps
    settings = Settings(outbox_path=folder, ack_timeout=PATIENCE, connect_timeout=PATIENCE)
    async with Producer(broker.url, settings=settings) as producer:
        await producer.publish_many([("t", number) for number in range(5000)])
        assert list_files(folder) == []
        core = producer._core.publisher
        assert core._spool is not None
        broker.suspend()
        producer.enqueue("t", 5000)
        await asyncio.sleep(0)
        for rows in (0, 1):
            core._sweep()
            await core._spool._outbox._call(lambda: None)  # the disk's thread has done what it was given
            assert count_rows(folder) == rows
        broker.resume()


@asynccontextmanager
async def killed_in_flight(broker: Broker, folder: Path) -> AsyncIterator[None]:
    """A process was killed when its events were stored, and before it heard of that."""
    async with proxy_to(broker.port) as proxy:
        proxy.loses = is_ack
        with start(proxy.url, folder, 0, 10) as process:
            await wait_until(lambda: proxy.lost >= 10 and kept(folder, 10))
            kill(process)
    assert len(await read_events(broker.url)) == 10
    yield


async def test_disk_knows_what_may_have_been_sent_before_it_is(broker: Broker, folder: Path) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 10) as process:
        await wait_until(lambda: kept(folder, 10))
        kill(process)
    [path] = find_files(folder, "default")
    broker.start()
    async with proxy_to(broker.port) as proxy:
        proxy.loses = is_ack
        with start(proxy.url, folder, 10, 1) as process:
            await wait_until(lambda: proxy.lost >= 10)
            kill(process)
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM events WHERE first_sent > 0").fetchone() == (10,)
    database.close()


async def test_events_whose_acknowledgement_was_lost_are_not_doubled(broker: Broker, folder: Path) -> None:
    async with killed_in_flight(broker, folder):
        await publish_left(broker.url, folder)

    await check(broker.url, 10)
    assert list_files(folder) == []


async def test_events_that_may_be_stored_are_given_up_after_the_duplicate_window(
    broker: Broker, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with killed_in_flight(broker, folder):
        [path] = find_files(folder, "default")
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT count(*) FROM events WHERE first_sent > 0").fetchone() == (10,)
            database.execute("UPDATE events SET first_sent = first_sent - 121")
        database.close()
        await publish_left(broker.url, folder)

    await check(broker.url, 10)
    assert list_files(folder) == []
    assert capsys.readouterr().out.count("it may be stored or not") == 10


async def test_events_that_were_never_sent_are_published_however_late(broker: Broker, folder: Path) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 10) as process:
        await wait_until(lambda: kept(folder, 10))
        kill(process)
    [path] = find_files(folder, "default")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT DISTINCT first_sent FROM events").fetchall() == [(0.0,)]
    database.close()
    broker.start()
    await publish_left(broker.url, folder)

    await check(broker.url, 10)


def test_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetupError, match="no outbox in"):
        Producer(settings=Settings(outbox_path=tmp_path / "file" / "folder"))


def test_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    def row(number: int) -> Row:
        return Row(number, Message(b"s", b"h", b"p"), 0.0)

    file = OutboxFile(tmp_path / "default.1.outbox")
    file.change(Change([row(2), row(1)], [(5.0, 1)], []))
    with pytest.raises(sqlite3.IntegrityError):
        file.change(Change([row(3), row(1)], [], [2]))
    assert numbers(file.read()) == [1, 2]
    assert [row.first_sent for row in file.read()] == [5.0, 0.0]

    other = OutboxFile(file.path)
    assert not other.take_over()
    assert file.close() == 2
    assert other.take_over()
    assert numbers(other.read()) == [1, 2]
    other.change(Change([], [], [1, 2]))
    assert other.close() == 0
    assert list_files(tmp_path) == []


def numbers(rows: Sequence[Row]) -> list[int]:
    return [row.number for row in rows]


def test_forked_process_does_not_hold_the_lock_of_its_parent(tmp_path: Path) -> None:
    file = OutboxFile(tmp_path / "default.1.outbox")
    file.change(Change([Row(1, Message(b"s", b"h", b"p"), 0.0)], [], []))
    ends, done = os.pipe()
    hears, ready = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(done)
        os.write(ready, b"1")
        os.read(ends, 1)  # until the parent is done
        os._exit(0)
    os.read(hears, 1)
    file.close()
    try:
        assert OutboxFile(file.path).take_over()
    finally:
        os.close(done)
        os.waitpid(child, 0)
        for descriptor in (ends, hears, ready):
            os.close(descriptor)


async def test_example_of_the_docs(broker: Broker, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/outbox.md").read_text()
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    script = example.replace("nats://127.0.0.1:4222", broker.url)
    command = [sys.executable, "-c", script]
    ended = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=PATIENCE)
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert [event[1] for event in await read_events(broker.url, "acme")] == ["orders.17"]
    assert list_files(tmp_path / "outbox") == []
