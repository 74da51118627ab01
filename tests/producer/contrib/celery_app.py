"""The application of test_celery.py, in the worker's processes and in the test's."""

import os
import signal
import sys
import time
from pathlib import Path
from uuid import uuid4

from celery import Celery
from celery.exceptions import Ignore, Reject
from kombu.transport import filesystem
from kombu.utils.json import dumps
from tailrace_producer import current_job
from tailrace_producer.contrib import celery as celery_adapter
from tailrace_producer.contrib.celery import JobOptions, JobTask

# However late a process is told that it has had its time.
celery_adapter.LIMIT_TOLERANCE = 60.0

folder = Path(os.environ["CELERY_FOLDER"])
app = Celery("tests", broker=os.environ.get("CELERY_BROKER_URL", "filesystem://"))


def put(_channel: object, queue: str, payload: object, **_: object) -> None:
    """Put a message into its folder whole: kombu's own way, a worker may find it empty, and ends."""
    name = f"{time.monotonic_ns()}_{uuid4()}.{queue}.msg"
    (folder / name).write_text(dumps(payload))
    (folder / name).rename(folder / "messages" / name)


for name in ("messages", "control", "results"):
    (folder / name).mkdir(parents=True, exist_ok=True)
if app.conf.broker_url == "filesystem://":
    filesystem.Channel._put = put  # type: ignore[assignment,method-assign]  # there is no setting for it
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.05,
        },
    )
app.conf.update(result_backend=f"file://{folder / 'results'}", worker_hijack_root_logger=False)


@app.task(
    bind=True,
    base=JobTask,
    job=JobOptions(
        user=lambda a: a["user"],
        title=lambda a: f"Add up {len(a['numbers'])}",
        total=lambda a: len(a["numbers"]),
        metadata=lambda a: {"start": a["start"]},
    ),
)
def add(self: JobTask, user: int, numbers: list[int], start: int = 0) -> int:
    for number in self.current.track(numbers):
        start += number
    assert current_job() is self.current
    return start


@app.task(bind=True, base=JobTask, autoretry_for=(Exception,), max_retries=1, default_retry_delay=0)
def fail_twice(self: JobTask) -> None:
    raise OSError(f"attempt {self.request.retries + 1}")


@app.task(bind=True, base=JobTask, autoretry_for=(Exception,), max_retries=5, default_retry_delay=0)
def run_for_ever(self: JobTask) -> None:
    while True:
        self.current.raise_if_cancelled()
        time.sleep(0.01)


@app.task(bind=True, base=JobTask)
def vanish(self: JobTask) -> None:
    self.current.update(1)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(bind=True, base=JobTask)
def leave(self: JobTask) -> None:
    sys.exit(3)


@app.task(bind=True, base=JobTask, time_limit=1)
def sleep_too_long(self: JobTask) -> None:
    while True:
        time.sleep(0.01)


@app.task(bind=True, base=JobTask)
def say(self: JobTask, word: str) -> None:
    raise Ignore if word == "ignore" else Reject("no more", requeue=False)


@app.task(bind=True, base=JobTask, job=JobOptions(title=lambda a: f"depth {a['depth']}"))
def descend(self: JobTask, depth: int) -> None:
    job = self.current
    if depth:
        descend(depth - 1)
    assert current_job() is self.current is job
