"""Children of jobs: parts of a job that are jobs of their own."""

from typing import Protocol

from tailrace_protocol.jobs import JobStatus

from tailrace_producer.parts import Part
from tailrace_producer.progress import Progress
from tailrace_producer.sender import Sender, Speaker


class Relative(Speaker, Protocol):
    """What is known here of a job, parent or child."""

    @property
    def topic(self) -> str:
        """What watchers of the job watch."""

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to cancel."""

    def ask_to_cancel(self) -> bool:
        """Take the wish to cancel."""


class Place:
    """The place of a child in its parent, which it moves. Called under the child's lock; takes the parent's."""

    def __init__(
        self, parent: Relative, children: set[Relative], progress: Progress, sender: Sender, weight: float
    ) -> None:
        self._parent = parent
        self._children = children
        self._progress = progress
        self._sender = sender
        self._weight = weight
        self._part: Part | None = None

    @property
    def topic(self) -> str:
        """Of the parent."""
        return self._parent.topic

    @property
    def cancelled(self) -> bool:
        """Whether the parent was asked to cancel."""
        return self._parent.cancelled

    def begin(self, child: Relative, name: str) -> None:
        """The child has started. One that starts after its parent's end moves nothing."""
        with self._sender.lock:
            if self._parent.status is JobStatus.RUNNING:
                self._part = self._progress.begin_child(name, self._weight, child.topic)
                self._children.add(child)
                self._sender.want(self._parent)

    def move(self, share: float | None) -> None:
        """The child has got that far, 0 to 1; None if nobody knows."""
        with self._sender.lock:
            if self._part is not None and share is not None and self._parent.status is JobStatus.RUNNING:
                self._part.update(share, 1)
                self._sender.want(self._parent)

    def end(self, child: Relative, status: JobStatus) -> None:
        """The child has ended, or another attempt of it is to come."""
        with self._sender.lock:
            self._children.discard(child)
            if self._part is not None and status.terminal and self._parent.status is JobStatus.RUNNING:
                self._progress.end_child(self._part, status)
                self._sender.want(self._parent)
