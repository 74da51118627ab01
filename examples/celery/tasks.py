"""A Celery application whose tasks are jobs."""

import os
import time
from pathlib import Path

from celery import Celery
from tailrace_producer.contrib.celery import JobOptions, JobTask

app = Celery("shop", broker=os.environ.get("CELERY_BROKER_URL", "filesystem://"))
if app.conf.broker_url == "filesystem://":  # needs no service: the queue is a folder
    folder = Path(os.environ.get("CELERY_FOLDER", "queue")).absolute()
    for name in ("messages", "control", "results"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    messages = str(folder / "messages")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": messages,
            "data_folder_out": messages,
            "control_folder": str(folder / "control"),
        },
        result_backend=f"file://{folder / 'results'}",
    )
else:
    app.conf.update(result_backend=app.conf.broker_url)


@app.task(
    bind=True,
    base=JobTask,
    job=JobOptions(user=lambda a: a["user_id"], title="Send mails", total=lambda a: len(a["addresses"])),
    autoretry_for=(ConnectionError,),
    default_retry_delay=1,
    max_retries=3,
)
def send_mails(self: JobTask, user_id: int, addresses: list[str]) -> int:
    """Send a mail to each address."""
    job = self.current
    for address in job.track(addresses):
        if address.startswith("old"):
            job.warn("the address may be out of date", {"address": address})
        deliver(address, attempt=self.request.retries + 1)
    job.complete({"sent": len(addresses)})
    return len(addresses)


def deliver(address: str, attempt: int) -> None:
    """Stand in for a mail server: it takes some time, and wants to be asked twice by strangers."""
    time.sleep(float(os.environ.get("MAIL_SECONDS", "0.5")))
    if address.startswith("stranger") and attempt == 1:
        raise ConnectionError("451 greylisted, try again")
    if "@" not in address:
        raise ValueError(f"{address!r} is no address")
