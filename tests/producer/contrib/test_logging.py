import logging
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import anyio.to_thread
import pytest
import structlog
from producer.contrib.conftest import Read
from support.broker import Broker
from tailrace_producer import Producer, Settings, SyncProducer
from tailrace_producer.contrib.logging import MAX_LINE, JobLogHandler
from tailrace_protocol.errors import BrokerUnavailable

logger = logging.getLogger("shop.orders")


@pytest.fixture
def handler() -> Iterator[JobLogHandler]:
    """On the application's loggers and on Tailrace's own."""
    handler = JobLogHandler()
    loggers = [logging.getLogger("shop"), logging.getLogger("tailrace")]
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.DEBUG)
    yield handler
    for each in loggers:
        each.removeHandler(handler)
        each.setLevel(logging.NOTSET)


@pytest.mark.usefixtures("handler")
async def test_lines_of_the_current_job_are_sent(producer: SyncProducer, read: Read) -> None:
    logger.info("before any job")
    with producer.job("one"):
        logger.info("loading %d rows", 7)
        logger.debug("not for watchers")
        logging.getLogger("tailrace.producer").warning("broker unavailable")
        logger.error("a row was skipped", exc_info=ValueError("bad row"))
    logger.warning("after the job")

    lines = [data for topic, kind, data in await read() if (topic, kind) == ("jobs.one.log", "log")]
    assert lines == [
        {"level": "info", "message": "loading 7 rows", "logger": "shop.orders"},
        {"level": "error", "message": "a row was skipped", "logger": "shop.orders", "error": "ValueError: bad row"},
    ]


@pytest.mark.usefixtures("handler")
async def test_lines_of_tasks_and_their_threads_go_to_their_own_jobs(broker: Broker, read: Read) -> None:
    async with Producer(broker.url) as loop_producer, anyio.create_task_group() as group:

        async def work(name: str) -> None:
            async with loop_producer.job(name):
                await anyio.to_thread.run_sync(logger.info, f"in {name}")

        group.start_soon(work, "a")
        group.start_soon(work, "b")

    lines = {(topic, data["message"]) for topic, kind, data in await read() if kind == "log"}
    assert lines == {("jobs.a.log", "in a"), ("jobs.b.log", "in b")}


async def test_a_formatter_makes_the_message(producer: SyncProducer, read: Read, handler: JobLogHandler) -> None:
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    with producer.job("one"):
        logger.info("x" * 2 * MAX_LINE)
        # pytest-xdist cannot pass on what pytest's own handlers would take in
        handler.handle(logging.LogRecord("shop", logging.INFO, "shop.py", 1, "half a \ud83d pair", None, None))

    first, second = [data["message"] for _, kind, data in await read() if kind == "log"]
    assert (len(first), first[:2], first[-1]) == (MAX_LINE, "<x", "…")
    assert second == "<half a ? pair>"


async def test_a_filter_holds_lines_back(producer: SyncProducer, read: Read, handler: JobLogHandler) -> None:
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    with producer.job("one"):
        logger.info("a secret")
        logger.info("a word")

    assert [data["message"] for _, kind, data in await read() if kind == "log"] == ["a word"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="filters replace records from Python 3.12 on")
async def test_a_filter_replaces_a_line(producer: SyncProducer, read: Read, handler: JobLogHandler) -> None:
    def replace(record: logging.LogRecord) -> Any:
        return logging.makeLogRecord(record.__dict__ | {"msg": "another word"})

    handler.addFilter(replace)
    with producer.job("one"):
        logger.info("a word")

    assert [data["message"] for _, kind, data in await read() if kind == "log"] == ["another word"]


async def test_what_is_no_line_does_not_break_the_work(
    producer: SyncProducer, read: Read, handler: JobLogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    with producer.job("one") as job:
        # pytest's own handlers would raise
        handler.handle(logging.LogRecord("shop", logging.INFO, "shop.py", 1, "%d rows", ("many",), None))
        job.complete()
        logger.info("the work goes on")

    assert [kind for _, kind, _ in await read()] == ["start", "complete"]
    told = capsys.readouterr().err
    assert "TypeError" in told
    assert "JobEnded" not in told


def test_what_the_producer_logs_about_lost_lines_is_not_sent(
    handler: JobLogHandler, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.configure(
        logger_factory=structlog.stdlib.LoggerFactory(), processors=[structlog.stdlib.render_to_log_kwargs]
    )
    seen: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        return True

    handler.addFilter(note)
    settings = Settings(outbox_events=1, close_timeout=0)
    try:
        with (
            pytest.raises(BrokerUnavailable),
            closing(SyncProducer("nats://127.0.0.1:1", settings=settings)) as nowhere,
            nowhere.job("one"),
        ):
            logger.info("this line finds the outbox full")
    finally:
        structlog.reset_defaults()

    assert seen.count("this line finds the outbox full") == 1
    assert seen.count("line of a job's log lost") == 1
    assert capsys.readouterr().err == ""
