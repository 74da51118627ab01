"""Processes whose parent counts: all that a pool needs."""

import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tailrace_producer import SyncProducer


def render(frame: int) -> int:
    """Do one piece of work, in a process of the pool."""
    time.sleep(0.05)
    return frame


if __name__ == "__main__":
    with (
        SyncProducer("nats://127.0.0.1:4222") as producer,
        producer.job("film-1", title="Render a film", total=40) as job,
        ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool,
    ):
        frames = [pool.submit(render, frame) for frame in range(40)]
        for frame in job.track(as_completed(frames)):
            frame.result()
