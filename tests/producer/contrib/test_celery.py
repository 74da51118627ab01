"""Tasks as jobs, in real prefork workers; the queue is a folder, or Redis where it is installed."""

import asyncio
import importlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from producer.faults import read_events
from support.broker import PATIENCE, Broker, pick_ports
from support.edge import EdgeProcess
from support.waiting import wait_until
from tailrace_producer.contrib import get_default_producer, require_default_producer, set_default_producer

pytest.importorskip("celery")

Events = list[tuple[str, dict[str, Any]]]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def application(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The test's own side of the application, which sends tasks."""
    monkeypatch.setenv("CELERY_FOLDER", str(tmp_path / "celery"))
    monkeypatch.setenv("TAILRACE_NATS_URL", broker.url)
    monkeypatch.setenv("TAILRACE_TENANT", "acme")
    set_default_producer(None)
    yield load()
    sys.modules.pop("celery_app", None)
    producer = get_default_producer()
    set_default_producer(None)
    if producer is not None:
        producer.close()


def load() -> Any:
    sys.modules.pop("celery_app", None)
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        return importlib.import_module("celery_app")
    finally:
        sys.path.pop(0)


@pytest.fixture
def start(application: Any, tmp_path: Path) -> Iterator[Start]:
    """Start a worker; it is killed at the end, with its pool."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        command = ["celery", "-A", "celery_app", "worker", "--concurrency", "1", "--loglevel", "INFO", *options]
        with (tmp_path / "worker.log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=Path(__file__).parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)  # an orderly end takes Celery seconds
        worker.wait()


async def read(broker: Broker, topic: str) -> Events:
    return [(kind, state) for _, of, kind, state in await read_events(broker.url, "acme") if of == topic]


async def read_to_end(broker: Broker, task: Any, user: str = "") -> Events:
    """Return the events of a task's job up to its end, which the worker's main process may tell once more."""
    events: Events = []

    async def ended() -> bool:
        events[:] = await read(broker, f"{user}jobs.{task.id}")
        return bool(events) and events[-1][0] in ("complete", "failed", "cancelled")

    await wait_until(ended)
    return events


async def test_a_task_is_a_job(broker: Broker, application: Any, start: Start) -> None:
    start()
    task = application.add.delay(7, [1, 2, 3], start=4)
    events = await read_to_end(broker, task, "users.7.")

    assert events[0][0] == "start"
    kind, state = events[-1]
    assert (kind, state["id"], state["user"], state["title"]) == ("complete", task.id, "7", "Add up 3")
    assert (state["done"], state["total"], state["metadata"]) == (3, 3, {"start": 4})
    assert await asyncio.to_thread(task.get, PATIENCE) == 10


async def test_a_retry_is_the_next_attempt_and_the_last_failure_is_the_jobs(
    broker: Broker, application: Any, start: Start
) -> None:
    start()
    events = await read_to_end(broker, application.fail_twice.delay())

    told = [(state["status"], state.get("attempt", 1)) for kind, state in events if kind in ("start", "failed")]
    assert told == [("running", 1), ("running", 2), ("failed", 2)]
    [retrying] = [state for _, state in events if state["status"] == "retrying"]
    assert retrying["error"] == {"type": "OSError", "message": "attempt 1"}
    assert events[-1][1]["error"] == {"type": "OSError", "message": "attempt 2"}


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
async def test_a_job_that_is_cancelled_ends_its_task(
    broker: Broker, application: Any, start: Start, edge: EdgeProcess, pool: str
) -> None:
    worker = start("--pool", pool)
    task = application.run_for_ever.delay()

    async def running() -> bool:
        return bool(await read(broker, f"jobs.{task.id}"))

    await wait_until(running)
    async with httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as client:

        async def cancelled() -> bool:
            return (await client.post(f"/v1/acme/jobs/{task.id}/cancel")).status_code == 202

        await wait_until(cancelled)
    events = await read_to_end(broker, task)

    assert events[-1][0] == "cancelled"
    assert {state["status"] for _, state in events} == {"running", "cancelled"}
    await wait_until(lambda: task.state == "REVOKED")
    assert worker.poll() is None
    sequel = application.add.delay(7, [1])
    assert (await read_to_end(broker, sequel, "users.7."))[-1][0] == "complete"


async def test_a_task_that_is_revoked_while_it_runs(broker: Broker, application: Any, start: Start) -> None:
    start()
    task = application.run_for_ever.delay()

    async def running() -> bool:
        return bool(await read(broker, f"jobs.{task.id}"))

    await wait_until(running)
    task.revoke(terminate=True)
    events = await read_to_end(broker, task)

    assert events[-1][0] == "cancelled"
    sequel = application.add.delay(7, [1])
    assert (await read_to_end(broker, sequel, "users.7."))[-1][0] == "complete"


async def test_a_task_that_expired_before_it_ran(broker: Broker, application: Any, start: Start) -> None:
    task = application.add.apply_async((7, [1]), expires=-1)
    start()
    events = await read_to_end(broker, task, "users.7.")

    assert events[-1][0] == "cancelled"
    assert events[-1][1].get("done", 0) == 0


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("vanish", {"WorkerLostError"}),
        ("sleep_too_long", {"TimeLimitExceeded"}),
        ("leave", {"SystemExit", "WorkerLostError"}),
    ],
)
async def test_a_task_whose_process_is_gone_has_failed(
    broker: Broker, application: Any, start: Start, tmp_path: Path, name: str, errors: set[str]
) -> None:
    start()
    task = getattr(application, name).delay()
    await read_to_end(broker, task)
    # No other task can tell: a process that is killed while it holds the lock of the pool's results stops the pool.
    await wait_until(lambda: " exited with " in (tmp_path / "worker.log").read_text())

    ends = [(kind, state) for kind, state in await read(broker, f"jobs.{task.id}") if kind not in ("start", "progress")]
    assert {kind for kind, _ in ends} == {"failed"}
    assert {state["error"]["type"] for _, state in ends} <= errors


async def test_nothing_is_lost_where_processes_end_after_one_task(
    broker: Broker, application: Any, start: Start
) -> None:
    worker = start("--max-tasks-per-child", "1")
    tasks = [application.add.delay(7, [number]) for number in range(4)]
    for task in tasks:
        assert (await read_to_end(broker, task, "users.7."))[-1][0] == "complete"
    last = application.add.delay(7, [1])
    await asyncio.to_thread(last.get, PATIENCE)
    worker.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(worker.wait, PATIENCE) == 0
    assert (await read(broker, f"users.7.jobs.{last.id}"))[-1][0] == "complete"


@pytest.mark.parametrize(("word", "kind"), [("ignore", "cancelled"), ("reject", "failed")])
async def test_a_task_that_wants_no_result(
    broker: Broker, application: Any, start: Start, word: str, kind: str
) -> None:
    start()

    assert (await read_to_end(broker, application.say.delay(word)))[-1][0] == kind


async def test_a_task_called_as_a_function_is_a_job_too(broker: Broker, application: Any) -> None:
    assert application.add(7, [1, 2]) == 3
    eager = application.add.apply(args=(7, [3]))
    await asyncio.to_thread(require_default_producer().flush)

    assert eager.get() == 3
    topics = {topic for _, topic, kind, _ in await read_events(broker.url, "acme") if kind == "complete"}
    assert len(topics) == 2
    assert f"users.7.jobs.{eager.id}" in topics


async def test_a_task_that_calls_itself_as_a_function_runs_a_job_each_time(broker: Broker, application: Any) -> None:
    application.descend.apply(args=(2,)).get()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(application.descend, [0] * 20))
    await asyncio.to_thread(require_default_producer().flush)

    events = [event for event in await read_events(broker.url, "acme") if event[2] == "complete"]
    titles = [state["title"] for _, _, _, state in events]
    assert [titles.count(f"depth {depth}") for depth in range(3)] == [21, 1, 1]
    assert len({topic for _, topic, _, _ in events}) == 23


@pytest.fixture
def redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = shutil.which("redis-server")
    if server is None:
        if os.environ.get("CI", "") not in {"", "0", "false"}:
            pytest.fail("redis-server missing: apt-get install redis-server")
        pytest.skip("needs redis-server")
    [port] = pick_ports(1)
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{port}/0")
    with (tmp_path / "redis.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        yield
        process.kill()


@pytest.mark.usefixtures("redis")
async def test_with_redis(broker: Broker, application: Any, start: Start) -> None:
    start()
    events = await read_to_end(broker, application.fail_twice.delay())

    assert [state["status"] for _, state in events].count("retrying") == 1
    assert events[-1][0] == "failed"
