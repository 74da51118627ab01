"""A log that takes nothing any more stops nothing, and what it is told tells no passwords."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import structlog
from producer.faults import read_events, wait_until
from support.broker import PATIENCE, Broker
from tailrace_producer import Producer, Settings
from tailrace_producer.log import Logger
from tailrace_protocol.errors import BrokerUnavailable


class BrokenLog:
    def msg(self, _line: str) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    debug = info = warning = error = msg


@pytest.fixture
def broken_log() -> Iterator[None]:
    structlog.configure(logger_factory=lambda *_: BrokenLog())
    yield
    structlog.reset_defaults()


async def test_events_are_published_though_the_log_is_broken(
    broker: Broker, broken_log: None, caplog: pytest.LogCaptureFixture
) -> None:
    async with Producer(broker.url, settings=Settings(ack_timeout=0.3)) as producer:
        await producer.publish("t", 0)
        broker.kill()
        await wait_until(lambda: "broker unavailable" in caplog.text)
        producer.enqueue("t", 1)
        broker.start()
        await producer.flush(PATIENCE)

    assert [event[3] for event in await read_events(broker.url)] == [0, 1]
    assert "Broken pipe" in caplog.text


async def test_mistake_in_here_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("mistake")

    monkeypatch.setattr("tailrace_producer.publisher.connect", fail)
    producer = Producer("nats://service:secret@127.0.0.1:1")
    with pytest.raises(BrokerUnavailable, match="mistake"):
        await producer.publish("t", 1)
    await producer.close()

    printed = capsys.readouterr().out
    assert "the producer has failed" in printed
    assert "ValueError: mistake" in printed
    assert "secret" not in printed


class SlowLog:
    """Takes its time for its first line, with a lock held, as structlog's own does."""

    def __init__(self) -> None:
        self.writing = threading.Event()
        self._lock = threading.Lock()

    def msg(self, _line: str) -> None:
        with self._lock:
            if not self.writing.is_set():
                self.writing.set()
                time.sleep(0.3)

    debug = info = warning = error = msg


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_process_that_is_forked_while_a_line_is_written_can_write_too() -> None:
    log = SlowLog()
    structlog.configure(logger_factory=lambda *_: log)
    try:
        thread = threading.Thread(target=Logger().warning, args=("line",))
        thread.start()
        assert log.writing.wait(PATIENCE)
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # instead of waiting for ever
            try:
                Logger().warning("line of the child")
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        thread.join()
    finally:
        structlog.reset_defaults()
    assert status == 0
