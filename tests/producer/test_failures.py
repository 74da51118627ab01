"""What watchers are told of exceptions."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from tailrace_producer import Settings, SyncProducer
from tailrace_producer.contrib.logging import JobLogHandler
from tailrace_producer.testing import Captured, capture
from tailrace_protocol.jobs import JobError

SECRET = "no answer from db-7.internal:5432"


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("cannot say")


def fail(describe: Callable[[BaseException], str] | None, error: BaseException | str) -> Captured:
    """End a job, an attempt, a child and a text with the same error."""
    settings = Settings(describe_error=describe)
    with capture() as events, SyncProducer(settings=settings) as producer:
        for job_id in ("failed", "retrying", "parent"):
            job = producer.job(job_id)
            job.start()
            if job_id == "retrying":
                job.retry(error)
                continue
            if job_id == "parent":
                job = job.child("child")
                job.start()
            job.fail(error)
        text = producer.stream("t")
        text.start()
        text.fail(error)
    return events


def read(events: Captured) -> list[JobError | None]:
    return [*(events.job(job).error for job in ("failed", "retrying", "child")), events.text("t").error]


def test_by_default_an_exception_is_told_as_it_is() -> None:
    events = fail(None, OSError(SECRET))

    assert read(events) == [JobError("OSError", SECRET)] * 4


def test_what_describe_error_says_is_told_instead() -> None:
    events = fail(lambda error: f"Sorry: {type(error).__mro__[1].__name__}", ConnectionRefusedError(SECRET))

    assert read(events) == [JobError("ConnectionRefusedError", "Sorry: ConnectionError")] * 4
    assert SECRET not in str([event.data for event in events])


def test_what_it_says_is_cut() -> None:
    [told, *_] = read(fail(lambda _: "x" * 5000, OSError()))

    assert told is not None
    assert len(told.message) == 1000


def test_texts_of_the_callers_own_are_told_as_they_are() -> None:
    assert read(fail(lambda _: "no", "yes")) == [JobError("Error", "yes")] * 4


@pytest.mark.parametrize("describe", [lambda _: None, lambda _: 1 / 0])
def test_one_that_fails_tells_nothing_and_ends_the_job_all_the_same(describe: Any) -> None:
    events = fail(describe, OSError(SECRET))

    assert read(events) == [JobError("OSError", "")] * 4
    assert SECRET not in str([event.data for event in events])


def test_an_exception_that_cannot_say_what_it_is_ends_the_job_all_the_same() -> None:
    assert read(fail(None, Mute())) == [JobError("Mute", "")] * 4


def test_the_lines_of_the_log_say_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("shop.failures")
    monkeypatch.setattr(logger, "handlers", [JobLogHandler()])
    settings = Settings(describe_error=lambda _: "Sorry")
    with capture() as events, SyncProducer(settings=settings) as producer, producer.job("j"):
        logger.error("a row was skipped", exc_info=OSError(SECRET))

    assert events.topic("jobs.j.log")[0].data["error"] == "OSError: Sorry"
