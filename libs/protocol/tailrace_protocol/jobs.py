"""Jobs: units of work that report progress. The newest event of a job's topic carries its whole state."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from tailrace_protocol.errors import InvalidTopic
from tailrace_protocol.topics import check_topic, quote_token

LEASE_HEADER = "Tailrace-Lease"
"""On events of jobs that have a lease, which it holds in seconds, so that edges need not look into every event."""


class JobStatus(StrEnum):
    """What a job is doing."""

    RUNNING = "running"
    RETRYING = "retrying"
    """An attempt failed, and another one is to come."""
    WORKER_LOST = "worker_lost"
    """Nothing was heard from its worker for as long as its lease runs. It may come back."""
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self in _TERMINAL


_TERMINAL = frozenset({JobStatus.COMPLETE, JobStatus.FAILED, JobStatus.CANCELLED})


class StepStatus(StrEnum):
    """What a step of a job is doing."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a job.

    Attributes:
        name: for people to read.
        status: what it is doing.
        weight: its share of the job, beside those of the other steps.
        percent: 0 to 100; None while nobody knows.
        job: the topic of the job that does it, if a job of its own does.
    """

    name: str
    status: StepStatus
    weight: float = 1
    percent: float | None = None
    job: str | None = None


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
        steps: those that were begun, in their order; the newest 50.
        message: the newest word about it.
        warnings: the newest 20.
        warned: how many warnings there were.
        metadata: the caller's own.
        result: what a complete job came to.
        error: why it failed.
        started: when it began.
        updated: when this state was taken.
        ended: when it ended.
        attempt: 1 at first, one more with each retry.
        parent: the topic of the job that this one is a part of.
        cancelling: it was asked to cancel, and its worker has heard that.
        lease: seconds after `updated` within which the worker will be heard of again, whatever happens; after
            that it is lost. None if nobody renews it.
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
    steps: list[JobStep] = []
    message: str | None = None
    warnings: list[JobWarning] = []
    warned: int = 0
    metadata: dict[str, Any] = {}
    result: Any = None
    error: JobError | None = None
    started: datetime | None = None
    updated: datetime | None = None
    ended: datetime | None = None
    attempt: int = 1
    parent: str | None = None
    cancelling: bool = False
    lease: float | None = None


def format_job_topic(job: str, user: str | None = None) -> str:
    """Return the topic of a job: `jobs.<id>`, or `users.<user>.jobs.<id>` where it has an owner.

    Id and user are quoted where a token cannot hold them as they are.

    Raises:
        InvalidTopic: one of them is empty or no text, or the topic gets too long.
    """
    if job == "":
        raise InvalidTopic("the id of a job is at least one character")
    if user == "":
        raise InvalidTopic("the owner of a job is at least one character; None for a job without one")
    topic = f"jobs.{quote_token(job)}"
    return check_topic(topic if user is None else f"users.{quote_token(user)}.{topic}")
