"""`ProducerUser`: a locust user that publishes at a set rate over HTTP."""

import time
import uuid
from typing import Any, ClassVar

import gevent
import msgspec
from edge_http import UNREACHABLE, Answer, EdgeCaller
from locust import User, task
from locust.exception import StopUser
from referee import find_referee
from sse_user import StreamTrouble, describe
from tailrace_client.answers import is_transient, read_retry_after
from tailrace_client.backoff import Backoff

Events = list[dict[str, Any]]

MAX_BATCH = 1000
"""Events of one request."""

TICK = 0.1
"""Seconds from one request to the next, at the most often: what is due meanwhile goes together."""


class ProducerUser(User):
    """One producer. It publishes what is due since the last time, so that it keeps its rate whatever a request takes.

    A request that is refused for now, or not answered, is sent again with the same `Idempotency-Key`, which stores
    nothing twice. It reports under its label:

    - `publish`: from the request until it is acknowledged, of up to 1,000 events; a failure is sent again.
    """

    abstract = True
    label: ClassVar[str] = "POST"

    def __init__(self, environment: Any) -> None:
        """Make one that has published nothing."""
        super().__init__(environment)
        self.referee = find_referee(environment)
        self.options = environment.parsed_options
        self._caller = EdgeCaller(self.host or "")
        self._path = f"/v1/{self.options.tenant}/events"
        self._backoff = Backoff()

    @property
    def rate(self) -> float:
        """Events a second."""
        return float(self.options.rate)

    def make_events(self, first: int, count: int) -> Events:
        """Return the next events: `topic`, `type` and `data` of each.

        Args:
            first: how many were made before.
            count: how many there have to be.
        """
        raise NotImplementedError

    @task
    def produce(self) -> None:
        """Publish until the run ends."""
        begun = time.monotonic()
        made = 0
        while not self.referee.hushed:
            due = min(int((time.monotonic() - begun) * self.rate) - made, MAX_BATCH)
            if due > 0:
                self._publish(self.make_events(made, due))
                made += due
            if due < MAX_BATCH:
                gevent.sleep(TICK)
        raise StopUser

    def _publish(self, events: Events) -> None:
        body = msgspec.json.encode(events)
        headers = {"content-type": "application/json", "idempotency-key": uuid.uuid4().hex}
        with self.referee.publishing():
            while (wait := self._attempt(events, body, headers)) is not None:
                gevent.sleep(wait)
                if self.referee.hushed:
                    return

    def _attempt(self, events: Events, body: bytes, headers: dict[str, str]) -> float | None:
        """Return the seconds until the next attempt; None when it is acknowledged."""
        begun = time.perf_counter()
        try:
            answer = self._caller.call("POST", self._path, body, headers)
        except UNREACHABLE as error:
            self._fire(begun, len(body), describe(error))
            return self._backoff.fail()
        if answer.status != 201:
            self._fire(begun, len(body), f"status {answer.status}")
            return self._refused(answer)
        self._fire(begun, len(body))
        self._backoff.reset()
        ids = msgspec.json.decode(answer.body)["ids"]
        self.referee.auditor.acknowledge(ids, [event["topic"] for event in events])
        return None

    def _refused(self, answer: Answer) -> float:
        if not is_transient(answer.status):
            said = answer.body[:300].decode(errors="replace")
            self.referee.complain(f"publishing was refused for good: {answer.status} {said}")
            raise StopUser
        return self._backoff.fail(read_retry_after(answer.headers))

    def _fire(self, begun: float, size: int, error: str | None = None) -> None:
        self.environment.events.request.fire(
            request_type=self.label,
            name="publish",
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=size,
            exception=None if error is None else StreamTrouble(error),
            context={},
        )


class TopicsProducer(ProducerUser):
    """Publishes to `<root>.jobs.0` and following, in turn."""

    abstract = True

    def make_events(self, first: int, count: int) -> Events:
        """Return one event for each of the next topics."""
        filler = "x" * max(0, self.options.payload - 30)
        return [
            {
                "topic": f"{self.referee.root}.jobs.{number % self.options.topics}",
                "type": "progress",
                "data": {"done": number, "message": filler},
            }
            for number in range(first, first + count)
        ]
