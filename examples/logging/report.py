"""Lines of the log go to those who watch the job that they are about."""

import logging
import time

from tailrace_producer import SyncProducer
from tailrace_producer.contrib.logging import JobLogHandler

logging.basicConfig(level=logging.INFO)
logging.getLogger().addHandler(JobLogHandler())
logger = logging.getLogger("reports")


def build(pages: int) -> None:
    """Know nothing of jobs, and log."""
    for page in range(pages):
        logger.info("page %d", page + 1)
        time.sleep(0.05)


with SyncProducer("nats://127.0.0.1:4222") as producer:
    logger.info("this line belongs to no job")
    with producer.job("report-1", title="Report"):
        build(7)
