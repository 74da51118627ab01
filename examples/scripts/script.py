"""A plain script: one line around its loop."""

import time

from tailrace_producer import SyncProducer

rows = range(50)

with SyncProducer("nats://127.0.0.1:4222") as producer, producer.job("import-1", title="Import") as job:
    for row in job.track(rows):
        time.sleep(0.02)
        if row == 30:
            job.warn("a row was skipped", {"row": row})
