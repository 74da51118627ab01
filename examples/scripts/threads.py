"""Threads: each piece of work runs in a copy of the context, so that the current job is found in it."""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context

from tailrace_producer import SyncProducer, current_job


def resize(picture: int) -> None:
    """Do one piece of work, in whichever thread."""
    time.sleep(0.05)
    job = current_job()
    if job is not None and picture == 7:
        job.warn("the picture is very large", {"picture": picture})


with (
    SyncProducer("nats://127.0.0.1:4222") as producer,
    producer.job("pictures-1", title="Resize pictures", total=40) as job,
    ThreadPoolExecutor(4) as pool,
):
    work = [pool.submit(copy_context().run, resize, picture) for picture in range(40)]
    for future in job.track(as_completed(work)):
        future.result()
