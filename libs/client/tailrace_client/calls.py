"""Calls: the requests that are answered in JSON, and where to send them. No I/O: a shell sends what it is told to.

exchange = Exchange(call, edges)
while not exchange.done:
    if exchange.wants: ask for a token, then exchange.authorize()
    send exchange.request, then exchange.answer(...) or exchange.fail(...)
return exchange.result
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import msgspec
from tailrace_protocol.control import Gap
from tailrace_protocol.errors import EdgeUnavailable, InvalidInput, MalformedStream
from tailrace_protocol.events import MESSAGE, Event, encode_data, encode_stored
from tailrace_protocol.jobs import JobState, JobStatus
from tailrace_protocol.patterns import check_pattern
from tailrace_protocol.stream import check_key
from tailrace_protocol.topics import check_topic

from tailrace_client.answers import is_transient, read_refusal
from tailrace_client.edges import Edges, Fields
from tailrace_client.pages import EventPage, HistoryPage, JobPage, Page
from tailrace_client.tokens import TokenReason

T = TypeVar("T")

PAGE_ITEMS = 1000
"""To ask for at once, at most."""


class Stored(msgspec.Struct, frozen=True):
    """Where an event was stored."""

    id: str


class Cancelling(msgspec.Struct, frozen=True):
    """Which job was told to cancel."""

    id: str
    topic: str


class AllStored(msgspec.Struct, frozen=True):
    """Where events were stored."""

    ids: list[str]


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request and the type of its answer.

    Attributes:
        path: segments below the tenant, not encoded.
        repeatable: whether sending it again after a failure in the middle does no harm.
    """

    method: str
    path: tuple[str, ...]
    answer: type[T]
    fields: Fields = ()
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def with_field(self, name: str, value: str) -> "Call[T]":
        """Return the same call with a field of the query set to another value."""
        return replace(self, fields=[*(pair for pair in self.fields if pair[0] != name), (name, value)])


def list_topics(pattern: str) -> Call[Page[Event]]:
    """Return the call for the newest events of the topics that match.

    Raises:
        InvalidPattern: `pattern` cannot be one.
    """
    return Call("GET", ("topics",), EventPage, [("match", check_pattern(pattern))])


def read_topic(topic: str) -> Call[Event]:
    """Return the call for the newest event of a topic.

    Raises:
        InvalidTopic: `topic` cannot be one.
    """
    return Call("GET", ("topics", check_topic(topic)), Event)


def delete_topic(topic: str) -> Call[Stored]:
    """Return the call that deletes a topic.

    Raises:
        InvalidTopic: `topic` cannot be one.
    """
    return Call("DELETE", ("topics", check_topic(topic)), Stored)


def list_jobs(user: str | None, status: JobStatus | str | None) -> Call[Page[JobState]]:
    """Return the call for jobs, of one user or status where one is named.

    Raises:
        InvalidInput: `status` is none.
    """
    if status is not None and status not in set(JobStatus):
        raise InvalidInput(f"{status!r} is not the status of a job: {', '.join(JobStatus)}")
    fields = [("user", user), ("status", status)]
    return Call("GET", ("jobs",), JobPage, [(name, str(value)) for name, value in fields if value is not None])


def read_job(job: str, user: str | None) -> Call[JobState]:
    """Return the call for the state of a job."""
    return Call("GET", ("jobs", job), JobState, [] if user is None else [("user", user)])


def delete_job(job: str, user: str | None) -> Call[Stored]:
    """Return the call that deletes a job."""
    return Call("DELETE", ("jobs", job), Stored, [] if user is None else [("user", user)])


def cancel_job(job: str, user: str | None) -> Call[Cancelling]:
    """Return the call that tells a job's worker to cancel. Telling it twice does no harm."""
    return Call("POST", ("jobs", job, "cancel"), Cancelling, [] if user is None else [("user", user)])


def read_history(selection: Fields) -> Call[Page[Event | Gap]]:
    """Return the call for stored events."""
    return Call("GET", ("history",), HistoryPage, selection)


def publish_event(topic: str, data: Any, event_type: str = MESSAGE, message_id: str | None = None) -> Call[AllStored]:
    """Return the call that publishes an event.

    Raises:
        InvalidInput: topic, type, size or data break a rule of the protocol, see `encode_stored`, or `message_id` does.
    """
    check_topic(topic)
    encode_stored(event_type, data)
    headers = {"content-type": "application/json"}
    if message_id is not None:
        headers["idempotency-key"] = check_key(message_id)
    body = encode_data({"topic": topic, "type": event_type, "data": data})
    return Call("POST", ("events",), AllStored, (), body, headers, repeatable=message_id is not None)


class Paging(Generic[T]):
    """The way through the pages of a list.

    Attributes:
        call: for the next page; None after the last one.
        cursor: of the first page, since what came after that may be missing in it.
    """

    def __init__(self, call: Call[Page[T]], *, by: str = "page", limit: int | None = None) -> None:
        """Begin before the first page.

        Args:
            call: for the first page.
            by: the query's field that takes a page's `next`.
            limit: items to take in all.

        Raises:
            InvalidInput: `limit` is not above 0.
        """
        if limit is not None and limit < 1:
            raise InvalidInput(f"limit={limit} asks for nothing; None is no limit")
        self.cursor: str | None = None
        self._by = by
        self._left = limit
        self.call: Call[Page[T]] | None = self._with_limit(call)

    def take(self, page: Page[T]) -> list[T]:
        """Return the items of the answer to `call`, which turns to the next page."""
        if self.cursor is None:
            self.cursor = page.cursor
        items = page.items[: self._left]
        if self._left is not None:
            self._left -= len(items)
        if self.call is not None:
            self.call = self._turn(self.call, page.next)
        return items

    def _turn(self, call: Call[Page[T]], mark: str | None) -> Call[Page[T]] | None:
        return None if mark is None or self._left == 0 else self._with_limit(call.with_field(self._by, mark))

    def _with_limit(self, call: Call[Page[T]]) -> Call[Page[T]]:
        return call if self._left is None else call.with_field("limit", str(min(self._left, PAGE_ITEMS)))


@dataclass(frozen=True, slots=True)
class CallRequest:
    """What to send."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes

    @property
    def redirectable(self) -> bool:
        """Whether to follow redirects, some of which turn other methods into GET (RFC 9110, 15.4)."""
        return self.method == "GET"


class Exchange(Generic[T]):
    """One call's way over the edges: each of them is tried once, until one answers.

    Attributes:
        wants: why a token has to be asked for before the next request; None if none has to.
        token: that the newest request carried.
    """

    def __init__(self, call: Call[T], edges: Edges) -> None:
        """Begin with the edge that answered last."""
        self._call = call
        self._edges = edges
        self._number = edges.first
        self._left = len(edges)
        self._result: list[T] = []
        self._renewed = False
        self.wants = edges.credential.missing
        self.token = edges.credential.token

    @property
    def done(self) -> bool:
        """Whether `result` is there."""
        return bool(self._result)

    @property
    def result(self) -> T:
        """What was asked for."""
        return self._result[0]

    @property
    def request(self) -> CallRequest:
        """What to send now."""
        call = self._call
        self.token = self._edges.credential.token
        headers = {**self._edges.headers, "accept": "application/json", **call.headers}
        url = self._edges.format_url(self._number, call.path, call.fields)
        return CallRequest(call.method, url, headers, call.body)

    def authorize(self) -> None:
        """Learn that a token was asked for, and is there."""
        self.wants = None

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take in an edge's answer.

        Raises:
            EdgeUnavailable: no edge could do it now.
            EdgeRefused: trying again does not mend it.
            NotFound: there is no such thing.
            Unauthorized: the token is no good, also when it was asked for anew.
            MalformedStream: the answer is not what an edge says.
        """
        if is_transient(status):
            self.fail(str(read_refusal(status, headers, body)))
        elif status == 401 and self._edges.credential.renewable and not self._renewed:
            self._renewed = True
            self.wants = TokenReason.UNAUTHORIZED
        elif not 200 <= status < 300:
            raise read_refusal(status, headers, body)
        else:
            self._edges.first = self._number % len(self._edges)
            self._result.append(self._decode(body))

    def fail(self, reason: str, *, unsent: bool = False) -> None:
        """Learn that there was no useful answer.

        Args:
            reason: in words.
            unsent: whether the request has surely not reached the edge.

        Raises:
            EdgeUnavailable: no other edge is left to try, or the request may have been carried out.
        """
        self._left -= 1
        if not self._call.repeatable and not unsent:
            raise EdgeUnavailable(f"it is not known whether the event was stored, pass a message_id to retry: {reason}")
        if not self._left:
            raise EdgeUnavailable(f"no edge answered {self._call.method} /{'/'.join(self._call.path)}: {reason}")
        self._number += 1

    def _decode(self, body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=self._call.answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            path = "/".join(self._call.path)
            raise MalformedStream(
                f"the answer to {self._call.method} /{path} is not what an edge says: {error}"
            ) from error
