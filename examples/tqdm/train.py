"""Bars that are watched: one import is new."""

import time

from tailrace_producer import SyncProducer
from tailrace_producer.contrib import set_default_producer
from tailrace_producer.contrib.tqdm import tqdm, trange

set_default_producer(SyncProducer("nats://127.0.0.1:4222"))

for epoch in trange(3, desc="training"):
    with tqdm(range(20), desc=f"epoch {epoch}", leave=False) as batches:
        for batch in batches:
            time.sleep(0.02)
            batches.set_postfix(loss=1 / (1 + epoch * 20 + batch))
