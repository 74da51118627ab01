"""The outbox on a disk that is full, damaged or used by others."""

import asyncio
import gc
import os
import re
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from producer.faults import wait_until
from producer.outboxes import check, keep, kept, kill, list_files, publish_left, start
from support.broker import PATIENCE, Broker
from tailrace_producer import Producer, Settings, outbox_file
from tailrace_producer.outbox import Outbox
from tailrace_producer.outbox_file import Change, OutboxFile, Row, find_files
from tailrace_producer.pending import Message, Pending, Place, format_line
from tailrace_protocol.errors import BrokerUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


async def test_damaged_file_stops_nothing(broker: Broker, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkdir(folder)
    (folder / "default.0123.outbox").write_bytes(b"no database" * 1000)
    async with Producer(broker.url, settings=keep(folder)) as producer:
        await producer.publish("t", 0)

    await check(broker.url, 1)
    assert capsys.readouterr().out.count("events on disk cannot be read") == 1
    gc.collect()  # tells of a database left open
    left = OutboxFile(folder / "default.0123.outbox")
    assert left.take_over()
    left.close()


def test_file_that_could_not_be_made_at_first_is_made_later(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir(folder)
    file = OutboxFile(folder / "default.0123.outbox")
    change = Change([Row(1, Message(b"s", b"h", b"p"), 0.0)], [], [])
    with monkeypatch.context() as patch:
        patch.setattr(outbox_file, "_SCHEMA", "CREATE TABLE where no room is left")
        with pytest.raises(sqlite3.OperationalError):
            file.change(change)
        assert file.close() == 0
        assert list_files(folder) == []
        with pytest.raises(sqlite3.OperationalError):
            file.change(change)
    file.change(change)

    assert file.read() == change.rows
    assert file.close() == 1


async def test_disk_that_takes_nothing_stops_nothing(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OutboxFile, "change", refuse)
    broker.kill()
    async with Producer(broker.url, settings=Settings(outbox_path=folder)) as producer:
        await wait_until(lambda: "no broker" in producer._core.publisher._reason)
        for number in range(10):
            producer.enqueue("t", number)
        await wait_until(lambda: producer._core.publisher._unacked[1_000_010].place is not None)
        broker.start()

    await check(broker.url, 10)
    assert capsys.readouterr().out.count("they wait in memory alone") == 1


async def test_what_the_disk_did_not_take_is_written_as_soon_as_it_does(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.kill()
    async with Producer(broker.url, settings=keep(folder)) as producer:
        await wait_until(lambda: "no broker" in producer._core.publisher._reason)
        with monkeypatch.context() as disk:
            disk.setattr(OutboxFile, "change", refuse)
            producer.enqueue("t", 0)
            await wait_until(lambda: is_broken(producer))
        producer.enqueue("t", 1)
        await wait_until(lambda: kept(folder, 2))
        await wait_until(lambda: not is_broken(producer))
    broker.start()
    await publish_left(broker.url, folder)

    await check(broker.url, 2)


async def test_closing_tells_that_events_are_lost_if_the_disk_took_nothing(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OutboxFile, "change", refuse)
    broker.kill()
    producer = Producer(broker.url, settings=keep(folder))
    producer.enqueue("t", 0)
    await wait_until(lambda: is_broken(producer))
    with pytest.raises(BrokerUnavailable):
        await producer.close()

    assert re.search(r"events lost.*events=1\b", capsys.readouterr().out)


async def test_what_is_published_while_the_disk_is_full_is_not_left_there(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.kill()
    async with Producer(broker.url, settings=Settings(outbox_path=folder)) as producer:
        await wait_until(lambda: "no broker" in producer._core.publisher._reason)
        producer.enqueue("t", 0)
        await wait_until(lambda: kept(folder, 1))
        monkeypatch.setattr(OutboxFile, "change", refuse)
        broker.start()
        await producer.flush(PATIENCE)

    await check(broker.url, 1)
    assert list_files(folder) == []


def is_broken(producer: Producer) -> bool:
    spool = producer._core.publisher._spool
    return spool is not None and spool.broken


def refuse(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


async def test_what_was_never_sent_is_not_noted_as_sent_when_the_broker_hangs(broker: Broker, folder: Path) -> None:
    async with Producer(broker.url, settings=keep(folder, window=10)) as producer:
        await producer.publish("t", 0)
        broker.suspend()
        for number in range(100):
            producer.enqueue("t", number)
        await wait_until(lambda: kept(folder, 100))
        [path] = find_files(folder, "default")
        with sqlite3.connect(path) as database:
            assert database.execute("SELECT count(*) FROM events WHERE first_sent > 0").fetchone() == (10,)
        database.close()
        broker.resume()
        await producer.flush(PATIENCE)


async def test_file_that_another_process_takes_first_stops_nothing(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.kill()
    with start(broker.url, folder, 0, 1) as process:
        await wait_until(lambda: kept(folder, 1))
        kill(process)
    found = [*find_files(folder, "default"), folder / "default.gone.outbox"]
    monkeypatch.setattr("tailrace_producer.outbox.find_files", lambda *_: found)
    broker.start()
    await publish_left(broker.url, folder)

    await check(broker.url, 1)
    assert "error" not in capsys.readouterr().out


async def test_file_that_somebody_reads_for_long_is_written_afterwards(
    broker: Broker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_file, "BUSY_TIMEOUT", 0.0)
    broker.kill()
    async with Producer(broker.url, settings=keep(folder)) as producer:
        producer.enqueue("t", 0)
        await wait_until(lambda: kept(folder, 1))
        [path] = find_files(folder, "default")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN EXCLUSIVE")
            producer.enqueue("t", 1)
            await wait_until(lambda: is_broken(producer))
            reader.execute("COMMIT")
        # Nothing is published meanwhile that would have it tried again.
        await wait_until(lambda: kept(folder, 2))
        broker.start()
        await producer.flush(PATIENCE)


async def test_only_its_owner_may_read_what_waits(broker: Broker, folder: Path) -> None:
    broker.kill()
    async with Producer(broker.url, settings=keep(folder)) as producer:
        producer.enqueue("t", 0)
        await wait_until(lambda: kept(folder, 1))
        assert read_modes(folder) == {0o600}
        broker.start()
        await producer.flush(PATIENCE)


def read_modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_what_comes_while_the_disk_takes_the_rest_is_not_forgotten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(folder, "default", "0123")
    outbox.start(asyncio.get_running_loop())
    prepare = outbox._prepare

    def prepare_and_linger(file: OutboxFile) -> Change:
        change = prepare(file)
        # The disk's thread leaves alone who holds the lock, however long it lingers.
        taken = threading.Event()
        outbox._tasks.put(outbox._write)
        outbox._tasks.put(taken.set)
        taken.wait(0.2)
        return change

    monkeypatch.setattr(outbox, "_prepare", prepare_and_linger)
    for number in (1, 2):
        outbox.put(number, Pending(format_line(b"_INBOX.", number, b"s", b"NATS/1.0\r\n\r\n", b"p"), print, 0.0, False))
    outbox.remove(Place(outbox._own, 1, marked=False))

    assert await outbox.close() == 1
