"""Processes that are jobs of their own: a child each, which moves the whole by its part and can be watched alone."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

from tailrace_producer import SyncJob, SyncProducer

spawn = get_context("spawn")


def index(progress: Connection) -> None:
    """Do one part of the work, in a process, and say how far it is."""
    for document in range(25):
        time.sleep(0.02)
        progress.send(document + 1)


def run_shard(job: SyncJob, shard: int) -> None:
    """Start a process, and report what it says until it ends."""
    with job.child(f"index-1-{shard}", title=f"Shard {shard}", total=25) as child:
        reader, writer = spawn.Pipe(duplex=False)
        process = spawn.Process(target=index, args=[writer])
        process.start()
        writer.close()
        try:
            while True:
                child.update(reader.recv())
        except EOFError:  # the process has ended, one way or another
            process.join()
        if process.exitcode:
            raise RuntimeError(f"the process ended with {process.exitcode}")


if __name__ == "__main__":
    with (
        SyncProducer("nats://127.0.0.1:4222") as producer,
        producer.job("index-1", title="Index", total=4) as job,
        ThreadPoolExecutor(4) as pool,
    ):
        list(pool.map(partial(run_shard, job), range(4)))
