"""What the tests of the outbox on disk share: processes that die, and looks into the files they leave."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from producer.faults import read_events, wait_until
from support.broker import PATIENCE
from tailrace_producer import Producer, Settings
from tailrace_producer.outbox_file import find_files

PROCESS = """
import sys, time
import structlog
from tailrace_producer import Settings, SyncProducer

# Not among what the test reads: a line of the log could begin in the middle of "published" and its line end.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
url, folder, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
producer = SyncProducer(url, settings=Settings(outbox_path=folder, ack_timeout=0.3, close_timeout=0.2))
for number in range(first, first + count):
    producer.enqueue(f"t.{number % 7}", number)
print("published", flush=True)
time.sleep(600)
"""


def keep(folder: Path, **more: Any) -> Settings:
    return Settings(outbox_path=folder, ack_timeout=0.3, close_timeout=0.2, **more)


@contextmanager
def start(url: str, folder: Path, first: int, count: int) -> Iterator["subprocess.Popen[str]"]:
    """A process that publishes, and waits to be killed."""
    command = [sys.executable, "-c", PROCESS, url, str(folder), str(first), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert "published\n" in process.stdout
            yield process
        finally:
            process.kill()


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def list_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def count_rows(folder: Path) -> int:
    total = 0
    for path in find_files(folder, "default"):
        database = sqlite3.connect(path)
        try:
            [(number,)] = database.execute("SELECT count(*) FROM events")
            total += number
        except sqlite3.OperationalError:
            pass  # it is about to be made
        finally:
            database.close()
    return total


def kept(folder: Path, count: int) -> bool:
    return count_rows(folder) == count


async def publish_left(url: str, folder: Path) -> None:
    async with Producer(url, settings=keep(folder)) as producer:
        await wait_until(lambda: producer._core.publisher._epoch != "")
        await producer.flush(PATIENCE)


async def check(url: str, count: int) -> None:
    events = await read_events(url)
    assert sorted(event[3] for event in events) == list(range(count))
    check_order(events)


def check_order(events: list[tuple[int, str, str, Any]]) -> None:
    for topic in {event[1] for event in events}:
        numbers = [event[3] for event in events if event[1] == topic]
        assert numbers == sorted(numbers)
