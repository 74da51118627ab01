"""Jobs: units of work that report progress. The newest event of a job's topic carries its whole state."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from tailrace_protocol.topics import check_topic, quote_token


class JobStatus(StrEnum):
    """What a job is doing."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self is not JobStatus.RUNNING


class JobWarning(msgspec.Struct, frozen=True):
    """Something the job's watchers should know, which did not stop it."""

    message: str
    time: datetime
    data: Any = None


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed."""

    type: str
    message: str


class JobState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The whole state of a job, as data of each event on its topic.

    Attributes:
        id: the job's id, unique among those of its owner.
        status: what it is doing.
        user: its owner, if it has one.
        title: what people call it.
        done: units done so far.
        total: units there are; None while nobody knows.
        failed: units of `done` that failed.
        percent: 0 to 100; None while `total` is.
        rate: units a second, smoothed.
        eta: seconds until it is done, as far as the rate tells.
        step: the name of what it is at.
        message: the newest word about it.
        warnings: the newest 20.
        warned: how many warnings there were.
        metadata: the caller's own.
        result: what a complete job came to.
        error: why it failed.
        started: when it began.
        updated: when this state was taken.
        ended: when it ended.
    """

    id: str
    status: JobStatus
    user: str | None = None
    title: str | None = None
    done: float = 0
    total: float | None = None
    failed: float = 0
    percent: float | None = None
    rate: float | None = None
    eta: float | None = None
    step: str | None = None
    message: str | None = None
    warnings: list[JobWarning] = []
    warned: int = 0
    metadata: dict[str, Any] = {}
    result: Any = None
    error: JobError | None = None
    started: datetime | None = None
    updated: datetime | None = None
    ended: datetime | None = None


def format_job_topic(job: str, user: str | None = None) -> str:
    """Return the topic of a job: `jobs.<id>`, or `users.<user>.jobs.<id>` where it has an owner.

    Id and user are quoted where a token cannot hold them as they are.

    Raises:
        InvalidTopic: one of them is empty, or the topic gets too long.
    """
    topic = f"jobs.{quote_token(job)}"
    return check_topic(topic if user is None else f"users.{quote_token(user)}.{topic}")
