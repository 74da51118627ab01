"""Parts of a job, its steps and children, and how far they take it. Pure."""

import math
from collections.abc import Mapping

from tailrace_protocol.errors import InvalidData
from tailrace_protocol.jobs import JobStep, StepStatus

from tailrace_producer.counts import check_finite

MAX_STEPS = 50
"""Parts that a state lists, the newest. Older ones count all the same."""


class Part:
    """A step or a child of a job.

    Attributes:
        counts: units of the job's total that it stands for; 0 if it moves nothing.
        done: units of its own.
        total: the same.
    """

    __slots__ = ("_name", "_reached", "_shown", "_topic", "_weight", "counts", "done", "status", "total")

    def __init__(self, name: str, weight: float, counts: float, topic: str | None) -> None:
        self._name = name
        self._weight = weight
        self._topic = topic
        self._reached = 0.0
        self._shown: JobStep | None = None
        self.counts = counts
        self.done = 0.0
        self.total: float | None = None
        self.status = StepStatus.RUNNING

    @property
    def name(self) -> str:
        """For people to read."""
        return self._name

    @property
    def topic(self) -> str | None:
        """Of the child; None for a step."""
        return self._topic

    @property
    def reached(self) -> float:
        """0 to 1; never goes back."""
        if self.status is StepStatus.COMPLETE:
            return 1.0
        return self._reached

    def update(self, done: float, total: float | None) -> None:
        """Set how many of its own units are done."""
        self.done, self.total = done, total
        self._reached = max(self._reached, compute_share(done, total))
        self._shown = None

    def end(self, status: StepStatus) -> None:
        """Set what came of it."""
        self.status = status
        self._shown = None

    def describe(self) -> JobStep:
        """Return it as a state lists it."""
        if self._shown is None:
            known = self.total is not None or self.status is StepStatus.COMPLETE
            percent = math.floor(10_000 * self.reached) / 100 if known else None
            self._shown = JobStep(self._name, self.status, self._weight, percent, self._topic)
        return self._shown


class Parts:
    """All of a job's."""

    def __init__(self) -> None:
        self._plan: dict[str, float] | None = None
        self._newest: list[Part] = []
        self._open: dict[Part, None] = {}  # in their order
        self._plain: Part | None = None

    def plan(self, weights: Mapping[str, float]) -> float:
        """Remember what steps to come weigh, and return what they and those that run weigh together.

        Raises:
            InvalidData: a weight is negative or no number.
        """
        self._plan = (self._plan or {}) | {name: check_weight(weight) for name, weight in weights.items()}
        return sum(part.counts for part in self._open) + sum(self._plan.values())

    def begin_step(self, name: str, weight: float | None) -> Part:
        """Begin a step. Without a weight it counts what the plan says, or nothing.

        Raises:
            InvalidData: the weight is negative or no number.
        """
        planned = (self._plan or {}).pop(name, 0)
        counts = planned if weight is None else check_weight(weight)
        unweighed = weight is None and self._plan is None
        self._plain = self._begin(Part(name, 1 if unweighed else counts, counts, None))
        return self._plain

    def enter(self, step: Part) -> None:
        """A step whose end will be told."""
        if self._plain is step:
            self._plain = None

    @property
    def plain(self) -> Part | None:
        """The step that ends when the next one begins."""
        return self._plain

    def begin_child(self, name: str, weight: float, topic: str) -> Part:
        """Begin a child, or go on with one of which another attempt was to come."""
        for part in self._open:
            if part.topic == topic:
                return part
        return self._begin(Part(name, weight, weight, topic))

    def end(self, part: Part, status: StepStatus) -> None:
        """End a part; it is no longer `reached`."""
        part.end(status)
        self._open.pop(part, None)
        if self._plain is part:
            self._plain = None

    @property
    def open(self) -> list[Part]:
        """Those that run, in their order."""
        return list(self._open)

    @property
    def reached(self) -> float:
        """Units of the job's total that those that run have done."""
        return sum(part.counts * part.reached for part in self._open) if self._open else 0

    @property
    def current(self) -> str | None:
        """The newest step that runs."""
        return next((part.name for part in reversed(self._open) if part.topic is None), None)

    def describe(self) -> list[JobStep]:
        """Return the newest of them."""
        return [part.describe() for part in self._newest]

    def _begin(self, part: Part) -> Part:
        self._newest = [*self._newest[-MAX_STEPS + 1 :], part]
        self._open[part] = None
        return part


def compute_share(done: float, total: float | None) -> float:
    """Return 0 to 1; 0 while nobody knows the total."""
    if total is None or not math.isfinite(done) or not math.isfinite(total):
        return 0.0
    if done >= total:
        return 1.0
    return 0.0 if done <= 0 else done / total


def check_weight(weight: float) -> float:
    """Return `weight` as it is.

    Raises:
        InvalidData: it is negative or no finite number.
    """
    if check_finite(weight) < 0:
        raise InvalidData(f"{weight!r} is no weight: it must not be negative")
    return weight
