"""The producer for code without an event loop: threads, forks, running loops, the interpreter's exit."""

import asyncio
import faulthandler
import gc
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from producer.faults import read_events, wait_until
from support.broker import PATIENCE, Broker
from tailrace_producer import NewEvent, SyncJob, SyncProducer, sender
from tailrace_producer.settings import Settings
from tailrace_protocol.errors import (
    BrokerUnavailable,
    InvalidTenant,
    InvalidTopic,
    OutboxFull,
    ProducerClosed,
    PublishError,
    SetupError,
)
from tailrace_protocol.positions import parse_position

# Python 3.12 and later warn of what these tests are about.
forks = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


async def in_thread(call: Any, *args: Any) -> Any:
    return await asyncio.to_thread(call, *args)


def start_threads() -> int:
    return sum(thread.name == "tailrace-producer" for thread in threading.enumerate())


async def test_publishes_from_a_script(broker: Broker) -> None:
    def script() -> list[str]:
        with SyncProducer(broker.url, tenant="acme") as producer:
            first = producer.publish("orders.17", {"state": "paid"}, type="order")
            producer.enqueue("orders.17", 2)
            return [first, *producer.publish_many([("a", 3), ("b", 4, "token"), NewEvent("c", id="x")])]

    ids = await in_thread(script)

    assert [parse_position(event_id).sequence for event_id in ids] == [1, 3, 4, 5]
    assert [event[1:3] for event in await read_events(broker.url, "acme")] == [
        ("orders.17", "order"), ("orders.17", "message"), ("a", "message"), ("b", "token"), ("c", "message"),
    ]  # fmt: skip


async def test_many_threads_share_one(broker: Broker) -> None:
    def hammer(producer: SyncProducer, thread: int) -> list[str]:
        ids = [producer.publish(f"t.{thread}", number) for number in range(100)]
        return ids + producer.publish_many((f"t.{thread}", number) for number in range(100, 1000))

    def script() -> list[list[str]]:
        with SyncProducer(broker.url) as producer, ThreadPoolExecutor(8) as pool:
            return list(pool.map(hammer, [producer] * 8, range(8)))

    ids = await in_thread(script)
    events = await read_events(broker.url)
    topics = {f"t.{thread}": [event for event in events if event[1] == f"t.{thread}"] for thread in range(8)}

    assert len(events) == 8000
    for thread in range(8):
        assert [event[3] for event in topics[f"t.{thread}"]] == list(range(1000))
        assert [event[0] for event in topics[f"t.{thread}"]] == [parse_position(i).sequence for i in ids[thread]]


async def test_threads_update_one_job(broker: Broker) -> None:
    def work(job: SyncJob) -> None:
        for _ in range(10_000):
            job.update(advance=1)

    def script() -> None:
        with (
            SyncProducer(broker.url) as producer,
            producer.job("j", total=80_000) as job,
            ThreadPoolExecutor(8) as pool,
        ):
            for _ in range(8):
                pool.submit(work, job)

    await in_thread(script)
    newest = (await read_events(broker.url))[-1]

    assert (newest[2], newest[3]["done"]) == ("complete", 80_000)


async def test_does_not_block_a_running_loop_for_ever(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "INTERVAL", PATIENCE)  # no progress before the end
    with SyncProducer(broker.url) as producer:
        assert parse_position(producer.publish("t", 1)).sequence == 1
        assert len(producer.publish_many([("t", 2), ("t", 3)])) == 2
        with producer.job("j") as job:
            assert list(job.track([1, 2])) == [1, 2]
        producer.flush()

    assert [event[2] for event in await read_events(broker.url)] == ["message"] * 3 + ["start", "complete"]


async def test_thread_and_connection_come_with_the_first_use_and_go_with_the_close(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    assert start_threads() == 0
    producer.enqueue("t")
    assert start_threads() == 1
    producer.close()
    assert start_threads() == 0
    with pytest.raises(ProducerClosed):
        producer.publish("t")
    producer.close()


@forks
async def test_forked_child_gets_a_connection_of_its_own(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    producer.publish("t", "parent")
    broker.kill()
    producer.enqueue("t", "parent's, waiting")
    child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        status = 1
        try:
            producer.publish("t", "child", timeout=PATIENCE)
            producer.close()
            status = 0
        finally:
            os._exit(status)
    broker.start()
    _, status = await in_thread(os.waitpid, child, 0)
    producer.publish("t", "parent again")
    producer.close()
    events = [event[3] for event in await read_events(broker.url)]

    assert status == 0
    assert sorted(events) == ["child", "parent", "parent again", "parent's, waiting"]


@forks
async def test_fork_leaves_the_connection_to_the_parent(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    producer.publish("t", 1)
    descriptor = producer._core.publisher.fileno()
    assert descriptor is not None
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, os.readlink(f"/proc/self/fd/{descriptor}").encode())
        os._exit(0)
    await in_thread(os.waitpid, child, 0)
    assert os.read(read, 100) == b"/dev/null"
    os.close(read)
    os.close(write)
    connected = producer._core.publisher._connected
    producer.publish("t", 2)

    assert producer._core.publisher._connected is connected
    producer.close()


@forks
async def test_fork_while_other_threads_publish(broker: Broker) -> None:
    def hammer(producer: SyncProducer) -> None:
        while not done.is_set():
            producer.enqueue("t", "parent")
            producer.publish("t", "parent")

    done = threading.Event()
    producer = SyncProducer(broker.url)
    threads = [threading.Thread(target=hammer, args=(producer,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    statuses = []
    for number in range(5):
        child = os.fork()
        if child == 0:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            status = 1
            try:
                producer.publish("t", f"child {number}", timeout=PATIENCE)
                status = 0
            finally:
                os._exit(status)
        statuses.append((await in_thread(os.waitpid, child, 0))[1])
    done.set()
    for thread in threads:
        await in_thread(thread.join)
    producer.close()
    events = [event[3] for event in await read_events(broker.url)]

    assert statuses == [0] * 5
    assert [event for event in events if event != "parent"] == [f"child {number}" for number in range(5)]


def run_script(script: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *args], check=False, capture_output=True, text=True, timeout=PATIENCE
    )


def start_script(script: str, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *args]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


async def test_exit_of_the_interpreter_publishes_what_waits(broker: Broker) -> None:
    script = (
        "import sys; from tailrace_producer import Settings, SyncProducer, sender\n"
        "sender.INTERVAL = 100.0  # no progress before the end\n"
        "producer = SyncProducer(sys.argv[1], settings=Settings(close_timeout=100))\n"
        "for n in range(1000): producer.enqueue('t', n)\n"
        "job = producer.job('j'); job.start(); job.update(5); job.complete(); del producer, job\n"
    )
    ended = await in_thread(run_script, script, broker.url)

    assert (ended.returncode, ended.stderr) == (0, "")
    events = await read_events(broker.url)
    assert [event[3] for event in events[:1000]] == list(range(1000))
    assert [event[2] for event in events[1000:]] == ["start", "complete"]


async def test_exit_of_the_interpreter_does_not_wait_for_ever_and_tells(broker: Broker) -> None:
    broker.kill()
    script = (
        "import sys; from tailrace_producer import SyncProducer, Settings\n"
        "SyncProducer(sys.argv[1], settings=Settings(close_timeout=0.5)).enqueue('t', 1)\n"
    )
    ended = await in_thread(run_script, script, broker.url)

    assert ended.returncode == 0
    assert "1 events are not acknowledged" in ended.stdout + ended.stderr


async def test_exit_of_the_interpreter_finds_the_broker_by_its_name(broker: Broker) -> None:
    broker.kill()
    script = (
        "import atexit, sys; from tailrace_producer import Settings, SyncProducer\n"
        "SyncProducer(sys.argv[1], settings=Settings(close_timeout=100)).enqueue('t', 1)\n"
        "atexit.register(print, 'exits', file=sys.stderr, flush=True)\n"
    )
    with start_script(script, broker.url.replace("127.0.0.1", "localhost")) as process:
        assert process.stderr is not None
        assert await in_thread(process.stderr.readline) == "exits\n"
        broker.start()
        assert await in_thread(process.stderr.read) == ""

    assert process.returncode == 0
    assert [event[3] for event in await read_events(broker.url)] == [1]


async def test_producer_that_gets_no_thread_tells(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    producer = SyncProducer(broker.url)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(PublishError, match="cannot start: can't create new thread"):
            producer.enqueue("t", 1)
    gc.collect()  # tells of a loop left open
    producer.publish("t", 2)
    producer.close()

    assert [event[3] for event in await read_events(broker.url)] == [2]


async def test_events_wait_for_the_broker(broker: Broker) -> None:
    broker.kill()
    with SyncProducer(broker.url, settings=Settings(outbox_events=100)) as producer:
        with producer.job("j") as job:
            for number in range(99):
                producer.enqueue("t", number)
            with pytest.raises(OutboxFull):
                producer.enqueue("t", 99)
            with pytest.raises(OutboxFull):
                producer.publish("t", 99)
            job.update(7)
        broker.start()

    events = await read_events(broker.url)
    assert [event[3] for event in events if event[1] == "t"] == list(range(99))
    assert [event[2] for event in events if event[1] == "jobs.j"] == ["start", "complete"]


async def test_publish_gives_up_in_time(broker: Broker) -> None:
    broker.kill()
    producer = SyncProducer(broker.url, settings=Settings(close_timeout=0.1))
    with pytest.raises(BrokerUnavailable, match="never sent"):
        producer.publish("t", timeout=0.2)
    producer.enqueue("t")
    with pytest.raises(BrokerUnavailable):
        producer.close()
    assert start_threads() == 0


async def test_many_wait_for_room(broker: Broker) -> None:
    with SyncProducer(broker.url, settings=Settings(window=5, outbox_events=20)) as producer:
        ids = await in_thread(producer.publish_many, (("t", number) for number in range(500)))

    assert len(set(ids)) == 500
    await wait_until(lambda: start_threads() == 0)


def test_mistakes_are_told_at_once() -> None:
    with pytest.raises(SetupError):
        SyncProducer("localhost")
    with pytest.raises(InvalidTenant):
        SyncProducer(tenant="No")
    producer = SyncProducer()
    with pytest.raises(InvalidTopic):
        producer.publish("no.")
    producer.close()


def is_held_back(number: signal.Signals, thread: threading.Thread) -> bool:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    [mask] = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk:")]
    return bool(mask >> (number - 1) & 1)


async def test_signals_are_left_to_the_threads_of_the_application(broker: Broker, tmp_path: Path) -> None:
    with SyncProducer(broker.url, settings=Settings(outbox_path=tmp_path)) as producer:
        producer.publish("t")
        threads = [thread for thread in threading.enumerate() if thread.name.startswith("tailrace-")]
        assert len(threads) == 2
        assert all(is_held_back(number, thread) for thread in threads for number in (signal.SIGTERM, signal.SIGCHLD))
        assert not is_held_back(signal.SIGTERM, threading.main_thread())
