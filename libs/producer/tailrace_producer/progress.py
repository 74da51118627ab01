"""Progress: what a job has done so far, how fast it is, how long it will take. Pure: the caller brings the clock."""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from tailrace_protocol.errors import EventTooLarge, InvalidData
from tailrace_protocol.events import MAX_EVENT_BYTES, encode_stored
from tailrace_protocol.jobs import JobError, JobState, JobStatus, JobWarning, StepStatus

from tailrace_producer.counts import check_finite, check_total, simplify
from tailrace_producer.parts import Part, Parts, check_weight, compute_share

MAX_WARNINGS = 20
MAX_TEXT = 1000
"""Characters of a title, step, message or error. What is longer is cut: it must fit into every event of the job."""
MAX_METADATA_BYTES = 24 * 1024
"""Of a job's metadata as JSON, for the same reason."""
MAX_WARNING_BYTES = 4 * 1024
"""Of a warning's data as JSON. An event carries as many of the newest warnings as fit."""
MIN_SAMPLES = 3
"""A rate means something from here on."""
RATE_SPAN = 10.0
"""Seconds over which the rate is smoothed: what lies that far back counts 1/e of what is new."""


class Meter:
    """A rate, smoothed exponentially over time, whatever the time between two samples."""

    def __init__(self, span: float = RATE_SPAN) -> None:
        self._span = span
        self.reset()

    def reset(self) -> None:
        """Start anew."""
        self._at: tuple[float, float] | None = None
        self._sum = 0.0
        self._weight = 0.0
        self._samples = 0

    def sample(self, done: float, now: float) -> None:
        """Note that `done` units are done at `now` seconds. Units that go back start the rate anew."""
        if self._at is None or done < self._at[0]:
            self.reset()
            self._at = (done, now)
            return
        before, then = self._at
        if now <= then:
            return
        fresh = 1 - math.exp((then - now) / self._span)
        self._sum += fresh * ((done - before) / (now - then) - self._sum)
        self._weight += fresh * (1 - self._weight)  # the part of the sum that is not the zero it began with
        self._samples += 1
        self._at = (done, now)

    @property
    def rate(self) -> float | None:
        """Units a second; None before it means something."""
        return self._sum / self._weight if self._samples >= MIN_SAMPLES else None


class Progress:
    """A job's state while it runs. `update` is cheap; rate, percent and the like are computed when a state is taken."""

    def __init__(
        self,
        job: str,
        *,
        user: str | None,
        title: str | None,
        total: float | None,
        metadata: dict[str, Any] | None,
        attempt: int = 1,
        parent: str | None = None,
        lease: float | None = None,
    ) -> None:
        if attempt < 1:
            raise InvalidData(f"{attempt} is no attempt: the first has the number 1")
        self.done: float = 0
        self.cancelling = False
        self._id = job
        self._user = user
        self._title = None if title is None else cut(title)
        self._total: float | None = None
        self._failed: float = 0
        self._step: str | None = None
        self._message: str | None = None
        self._warnings: list[JobWarning] = []
        self._warned = 0
        self._metadata: dict[str, Any] = {}
        self._parts = Parts()
        self._attempt = attempt
        self._parent = parent
        self._lease = lease
        self._started: datetime | None = None
        self._meter = Meter()
        if total is not None:
            self.update(total=total)
        if metadata:
            self.add_metadata(metadata)

    @property
    def user(self) -> str | None:
        """The owner."""
        return self._user

    @property
    def id(self) -> str:
        """What edges and clients call it."""
        return self._id

    @property
    def name(self) -> str:
        """What people call it: the title, or else the id."""
        return self._title or self._id

    def start(self, now: float, time: datetime) -> None:
        """Begin at `now` on the monotonic clock, `time` on the wall's."""
        self._started = time
        self._meter.sample(self.done, now)

    def update(
        self,
        *,
        total: float | None = None,
        failed: float | None = None,
        message: str | None = None,
        step: str | None = None,
    ) -> None:
        """Set what is not None.

        Raises:
            InvalidData: a number is not finite, or the total is negative.
        """
        if total is not None:
            self._total = check_total(total)
        if failed is not None:
            self._failed = check_finite(failed)
        if message is not None:
            self._message = cut(message)
        if step is not None:
            self._step = cut(step)

    def add_metadata(self, metadata: dict[str, Any]) -> None:
        """Add to the job's metadata, in place of what has the same names.

        Raises:
            InvalidData: it cannot be written as JSON.
            EventTooLarge: together they take more than `MAX_METADATA_BYTES`.
        """
        self._metadata = copy_data({**self._metadata, **metadata}, MAX_METADATA_BYTES)

    def add_warning(self, warning: JobWarning) -> None:
        """Keep the newest warnings, count all."""
        self._warnings = [*self._warnings, warning][-MAX_WARNINGS:]
        self._warned += 1

    def plan(self, weights: Mapping[str, float]) -> None:
        """Make the total what is done and what these steps and the parts that run weigh.

        Raises:
            InvalidData: a weight is negative or no number.
        """
        self._total = self.done + self._parts.plan(weights)

    def begin_step(self, name: str, weight: float | None) -> Part:
        """Begin a step; a plain one before it is complete.

        Raises:
            InvalidData: the weight is negative or no number.
        """
        self._end_plain(StepStatus.COMPLETE)
        self._step = cut(name)
        return self._parts.begin_step(self._step, weight)

    def enter_step(self, step: Part) -> None:
        """`end_step` will be called for it."""
        self._parts.enter(step)

    def begin_child(self, name: str, weight: float, topic: str) -> Part:
        """Begin a part that is a job of its own.

        Raises:
            InvalidData: the weight is negative or no number.
        """
        return self._parts.begin_child(cut(name), check_weight(weight), topic)

    def end_step(self, step: Part, status: StepStatus) -> None:
        """Count a step that has come to its end; nothing the second time.

        One that failed counts as far as it got, for its failure most often is the job's.
        """
        if step.status is StepStatus.RUNNING:
            self._end_plain(status, within=step)
            self.done += step.counts * (1 if status is StepStatus.COMPLETE else step.reached)
            self._parts.end(step, status)
            self._step = self._parts.current or self._step

    def end_child(self, child: Part, status: JobStatus) -> None:
        """Count a child that has come to its end, whichever; nothing the second time."""
        if child.status is StepStatus.RUNNING:
            self.done += child.counts
            if status is JobStatus.FAILED:
                self._failed += child.counts
            self._parts.end(child, StepStatus(status.value))

    def close(self, status: StepStatus) -> None:
        """End the steps that run still, as the job ends."""
        for part in self._parts.open:
            if part.topic is None:
                self.end_step(part, status)

    def _end_plain(self, status: StepStatus, within: Part | None = None) -> None:
        plain = self._parts.plain
        if plain is not None and plain is not within:
            self.end_step(plain, status)

    @property
    def total(self) -> float | None:
        """Units there are; None while nobody knows."""
        return self._total

    @property
    def share(self) -> float | None:
        """How much of the job is done, 0 to 1; None while nobody knows the total."""
        return None if self._total is None else compute_share(self.done + self._parts.reached, self._total)

    def take_state(
        self,
        now: float,
        time: datetime,
        status: JobStatus = JobStatus.RUNNING,
        *,
        result: Any = None,
        error: JobError | None = None,
    ) -> JobState:
        """Return the state at `now` on the monotonic clock, `time` on the wall's."""
        reached = self._parts.reached
        done = round(self.done + reached, 6) if reached else self.done
        self._meter.sample(done, now)
        rate = self._meter.rate
        return JobState(
            id=self._id,
            status=status,
            user=self._user,
            title=self._title,
            done=simplify(done),
            total=None if self._total is None else simplify(self._total),
            failed=simplify(self._failed),
            percent=compute_percent(done, self._total),
            rate=None if rate is None else round(rate, 3),
            eta=compute_eta(done, self._total, rate) if status is JobStatus.RUNNING else None,
            step=self._step,
            steps=self._parts.describe(),
            message=self._message,
            warnings=self._warnings,
            warned=self._warned,
            metadata=self._metadata,
            result=result,
            error=error,
            started=self._started,
            updated=time,
            ended=time if status.terminal else None,
            attempt=self._attempt,
            parent=self._parent,
            cancelling=self.cancelling and status is JobStatus.RUNNING,
            lease=self._lease if status is JobStatus.RUNNING else None,
        )


def compute_percent(done: float, total: float | None) -> float | None:
    """Return 0 to 100, rounded down to hundredths so that 100 means all; None while nobody knows the total."""
    if total is None or not math.isfinite(done) or not math.isfinite(total):
        return None
    if done >= total:
        return 100.0
    if done <= 0:
        return 0.0
    return math.floor(10_000 * (done / total)) / 100


def compute_eta(done: float, total: float | None, rate: float | None) -> float | None:
    """Return the seconds until all is done; None while nobody knows."""
    if total is None or not rate or rate < 0 or done > total:
        return None
    seconds = (total - done) / rate
    return round(seconds, 1) if math.isfinite(seconds) else None


def copy_data(data: Any, limit: int = MAX_EVENT_BYTES) -> Any:
    """Return `data` as its readers will get it, so that changes to it do not matter any more.

    Raises:
        InvalidData: it cannot be written as JSON.
        EventTooLarge: it would take more than `limit` bytes.
    """
    encoded = encode_stored("message", data)
    if len(encoded) > limit:
        raise EventTooLarge(len(encoded), limit)
    return msgspec.json.decode(encoded)["data"]


def cut(text: str) -> str:
    """Return `text` as it fits into an event: at most `MAX_TEXT` characters, without lone surrogates."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text.encode(errors="replace").decode()
