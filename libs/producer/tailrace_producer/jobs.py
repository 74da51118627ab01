"""All jobs of a producer."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from tailrace_protocol.jobs import format_job_topic
from tailrace_protocol.topics import check_topic

from tailrace_producer.failures import Describe
from tailrace_producer.family import Place
from tailrace_producer.pacer import Pacer
from tailrace_producer.progress import Progress
from tailrace_producer.publisher import Publisher
from tailrace_producer.reporting import BaseJob
from tailrace_producer.sender import Sender

J = TypeVar("J", bound=BaseJob)


class Jobs:
    """Makes them, from any thread, and sees to it that those of one topic share a sender."""

    def __init__(
        self,
        publisher: Publisher,
        pacer: Pacer,
        lease: float | None,
        clock: Callable[[], float] = time.monotonic,
        describe: Describe | None = None,
    ) -> None:
        self._publisher = publisher
        self._pacer = pacer
        self._lease = lease
        self._clock = clock
        self._describe = describe
        self._lock = threading.Lock()
        self._senders: WeakValueDictionary[str, Sender] = WeakValueDictionary()

    def make(
        self,
        kind: type[J],
        job: str,
        user: str | None,
        title: str | None,
        total: float | None,
        metadata: dict[str, Any] | None,
        *,
        attempt: int = 1,
        place: Place | None = None,
    ) -> J:
        """Return a job that publishes here.

        Raises:
            InvalidInput: id or user make no topic, or metadata, total or attempt cannot be carried.
        """
        topic = format_job_topic(job, user)
        check_topic(f"{topic}.log")
        progress = Progress(
            job,
            user=user,
            title=title,
            total=total,
            metadata=metadata,
            attempt=attempt,
            parent=None if place is None else place.topic,
            lease=self._lease,
        )
        return kind(self._publisher, self._get_sender(topic), progress, self._clock, self.make, place, self._describe)

    @property
    def held(self) -> int:
        """How many starts and ends wait at most, one after the other, for what was sent before."""
        return max((sender.held for sender in self._list_senders()), default=0)

    def hand_over(self) -> None:
        """Have the publisher take the starts and ends that wait, where they go to disk. In the event loop's thread."""
        for sender in self._list_senders():
            if sender.held:
                sender.send()

    def _list_senders(self) -> list[Sender]:
        with self._lock:
            return list(self._senders.values())

    def _get_sender(self, topic: str) -> Sender:
        with self._lock:
            sender = self._senders.get(topic)
            if sender is None:
                sender = Sender(self._publisher, self._pacer, topic, self._clock, self._lease)
                self._senders[topic] = sender
            return sender
