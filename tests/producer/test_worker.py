"""A worker and the edges: it is told to cancel, is lost, and comes back."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import anyio
import httpx
import pytest
from producer.faults import read_events
from support.broker import PATIENCE, Broker
from support.edge import EdgeProcess
from tailrace_producer import JobCancelled, Producer, SyncJob, SyncProducer

SLEEPER = """
import sys
from tailrace_producer import Settings, SyncProducer

with SyncProducer(sys.argv[1], settings=Settings(lease=6)) as producer, producer.job("quiet"):
    sys.stdin.readline()
"""


@contextmanager
def sleeper(broker: Broker) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a job that says nothing until it reads a line."""
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, broker.url], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


async def read_statuses(broker: Broker) -> list[str]:
    return [data["status"] for _, _, _, data in await read_events(broker.url)]


async def wait_for(broker: Broker, status: str) -> list[str]:
    """Return all statuses, as soon as that is the newest."""
    with anyio.fail_after(PATIENCE):
        while (statuses := await read_statuses(broker))[-1:] != [status]:  # noqa: ASYNC110  # it happens in another process
            await anyio.sleep(0.05)
    return statuses


async def test_edge_cancels_a_job(edge: EdgeProcess, broker: Broker) -> None:
    async def work() -> None:
        async with producer.job("import", user="7") as job:
            async for _ in job.track(iter(int, 1)):
                pass

    async with Producer(broker.url) as producer, httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as http:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await producer.flush()
        with anyio.fail_after(PATIENCE):
            # The edge may not have read the start yet.
            while (answer := await http.post("/v1/default/jobs/import/cancel?user=7")).status_code == 404:  # noqa: ASYNC110  # the same
                await anyio.sleep(0.05)
        with pytest.raises(JobCancelled):
            await task

    assert (answer.status_code, answer.json()) == (202, {"id": "import", "topic": "users.7.jobs.import"})
    assert (await read_statuses(broker))[-1] == "cancelled"


@pytest.mark.usefixtures("edge")
async def test_worker_is_lost_and_comes_back(broker: Broker) -> None:
    with sleeper(broker) as worker:
        await wait_for(broker, "running")
        worker.send_signal(signal.SIGSTOP)
        await wait_for(broker, "worker_lost")
        worker.send_signal(signal.SIGCONT)
        await wait_for(broker, "running")
        assert worker.stdin is not None
        worker.stdin.write(b"\n")
        worker.stdin.flush()
        await asyncio.to_thread(worker.wait)
        statuses = await wait_for(broker, "complete")

    assert statuses.count("worker_lost") == 1


async def test_children_in_many_threads_are_cancelled_by_their_parent(broker: Broker) -> None:
    def work(job: SyncJob, number: int) -> None:
        with suppress(JobCancelled), job.child(f"part-{number}", total=1000) as child, child.child(f"of-{number}"):
            while True:
                child.update(advance=1)
                child.raise_if_cancelled()
                busy.release()

    def script() -> None:
        with SyncProducer(broker.url) as producer, producer.job("all", total=8) as job, ThreadPoolExecutor(8) as pool:
            for number in range(8):
                pool.submit(work, job, number)
            for _ in range(20_000):
                busy.acquire()
            assert job.ask_to_cancel()

    busy = threading.Semaphore(0)
    await asyncio.to_thread(script)
    newest = {topic: (kind, data) for _, topic, kind, data in await read_events(broker.url)}

    assert len(newest) == 17
    kind, state = newest.pop("jobs.all")
    assert (kind, state["done"], state["percent"]) == ("complete", 8, 100)
    assert {kind for kind, _ in newest.values()} == {"cancelled"}
