"""Progress: what a job has done so far, how fast it is, how long it will take. Pure: the caller brings the clock."""

import math
from datetime import datetime
from typing import Any

import msgspec
from tailrace_protocol.errors import EventTooLarge, InvalidData
from tailrace_protocol.events import MAX_EVENT_BYTES, encode_stored
from tailrace_protocol.jobs import JobError, JobState, JobStatus, JobWarning

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
    ) -> None:
        self.done: float = 0
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
        self._started: datetime | None = None
        self._meter = Meter()
        if total is not None:
            self.update(total=total)
        if metadata:
            self.add_metadata(metadata)

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
            InvalidData: a number is not finite.
        """
        if total is not None:
            self._total = check_finite(total)
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
        self._meter.sample(self.done, now)
        rate = self._meter.rate
        return JobState(
            id=self._id,
            status=status,
            user=self._user,
            title=self._title,
            done=_simplify(self.done),
            total=None if self._total is None else _simplify(self._total),
            failed=_simplify(self._failed),
            percent=compute_percent(self.done, self._total),
            rate=None if rate is None else round(rate, 3),
            eta=None if status.terminal else compute_eta(self.done, self._total, rate),
            step=self._step,
            message=self._message,
            warnings=self._warnings,
            warned=self._warned,
            metadata=self._metadata,
            result=result,
            error=error,
            started=self._started,
            updated=time,
            ended=time if status.terminal else None,
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


def check_finite(number: float) -> float:
    """Return `number` as it is.

    Raises:
        InvalidData: it is none, or not finite: JSON cannot carry it.
    """
    try:
        if math.isfinite(number):
            return number
    except (TypeError, OverflowError):
        pass
    raise InvalidData(f"{number!r} is not a finite number, as the counts of a job have to be")


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


def _simplify(number: float) -> float:
    """Return what JSON can carry of a Fraction, a Decimal, a numpy number or a very large integer."""
    if type(number) is int and abs(number) < 1 << 63:
        return number
    return float(number)
