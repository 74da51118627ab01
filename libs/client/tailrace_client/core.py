"""What the async and the sync client have in common: settings, and what is made of them."""

import ssl
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar, overload

import httpx
from tailrace_protocol.errors import InvalidInput, InvalidPosition, SetupError
from tailrace_protocol.jobs import format_job_topic
from tailrace_protocol.positions import Position, parse_position

from tailrace_client.ahead import Buffer, ReadAhead, check_read_ahead
from tailrace_client.backoff import Backoff
from tailrace_client.cursors import Bookmark, Cursor, format_key
from tailrace_client.edges import Edges
from tailrace_client.handlers import H, Handler, Handlers
from tailrace_client.link import Link
from tailrace_client.queries import Start, Until, format_filters, format_selection
from tailrace_client.session import Observe, Session
from tailrace_client.tokens import Token

T = TypeVar("T")

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors after which the request has surely not reached the edge."""

NETWORK_ERRORS = (httpx.RequestError, httpx.InvalidURL, OSError, UnicodeError, OverflowError, ExceptionGroup)
"""Errors that trying again may mend. httpx lets some through as they were raised beneath it.

They are TLS's own, and those of redirects to names that can be no host's, and to ports that there are not, which anyio
tells of by a group. What the URLs of the edges are is checked before.
"""


class StreamOptions(TypedDict, total=False):
    """What a stream may be asked for; see `Client.stream`."""

    start: Start
    types: Sequence[str] | None
    max_rate: float | None
    until: Until | None
    observe: Observe | None
    cursor: Cursor | None
    read_ahead: ReadAhead | int | None
    conflate: Collection[str]


@dataclass(frozen=True)
class Plan:
    """How a stream is to be read.

    Attributes:
        session: its policy.
        bookmark: of what was processed, if that is to be saved.
        read_ahead: how much to, if anything.
        conflate: the types of which the newest is enough.
    """

    session: Session
    bookmark: Bookmark | None
    read_ahead: ReadAhead | None
    conflate: Collection[str]


def make_http(kind: Callable[..., T], settings: dict[str, Any]) -> T:
    """Return an httpx client of a kind, which reads the environment for proxies and certificates.

    Raises:
        SetupError: what stands there cannot be used.
    """
    try:
        return kind(**settings)
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise SetupError(
            f"no client can be made with what the environment says: {describe(error)}; look at HTTP_PROXY, "
            "HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR (proxies are http:// or https://)"
        ) from error


def describe(error: Exception) -> str:
    """Return what a transport's error says, which may be its class alone."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Core:
    """Settings of a client."""

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        tenant: str,
        token: Token | None = None,
        timeout: float = 10.0,
        verify: ssl.SSLContext | bool = True,
        backoff_base: float = 1.0,
        backoff_cap: float = 30.0,
    ) -> None:
        """Keep the settings; connections are made when they are needed.

        Args:
            url: of an edge or of the load balancer before them, `https://events.example.com`; or several: each
                reconnect goes to the next one, and so does a call that the one before did not answer.
            tenant: whose events to read.
            token: sent as `Authorization: Bearer`, never in a URL: a text, or a callable that returns one. It is
                called when the first token is needed, when an edge refuses the one in use, and when one says that it
                expires soon; a parameter named `reason` gets the `TokenReason`. All streams share the answer.
            timeout: seconds to connect, and to answer. An open stream has no such limit: it counts as dead after
                2.5 of the heartbeat intervals that its edge announced.
            verify: how to check certificates, as httpx takes it.
            backoff_base: seconds. Before the n-th attempt in a row a stream waits, evenly drawn, at most
                `backoff_base * 2**(n-1)`, on top of what the edge asked for.
            backoff_cap: seconds; where that doubling stops.

        Raises:
            InvalidInput: `url`, `tenant` or `token` cannot be one.
        """
        self._edges = Edges(url, tenant, token)
        self._handlers = Handlers()
        self._timeout = timeout
        self._backoff_base = backoff_base
        self._backoff_cap = backoff_cap
        self._http_settings: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout),
            "verify": verify,
            # A stream takes a connection for as long as it lasts; any number may be open.
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
        }

    @overload
    def on(self, event_type: str, handler: H, *, task_id: str | None = None) -> H: ...
    @overload
    def on(self, event_type: str, *, task_id: str | None = None) -> Callable[[H], H]: ...
    def on(self, event_type: str, handler: H | None = None, *, task_id: str | None = None) -> H | Callable[[H], H]:
        """Have a handler called by `run` with each event of a type. Also a decorator: `@client.on("progress")`.

        Args:
            event_type: of the events; `*` for all; `loss` for the `Gap` or `Reset` that stands where some are missing.
            handler: takes the event.
            task_id: leave out events of other tasks. An event's task is what its data says in `task_id`, else the job
                whose topic it is on.

        Raises:
            InvalidInput: `event_type` cannot be one, or `task_id` comes with `loss`, which concerns all tasks.
        """
        if handler is not None:
            self._handlers.add(event_type, handler, task_id)
            return handler

        def register(decorated: H) -> H:
            self._handlers.add(event_type, decorated, task_id)
            return decorated

        return register

    def off(self, handler: Handler) -> None:
        """Have a handler called no more."""
        self._handlers.remove(handler)

    def _plan(
        self,
        patterns: Sequence[str],
        start: Start,
        types: Sequence[str] | None,
        max_rate: float | None,
        until: Until | None,
        observe: Observe | None,
        cursor: Cursor | None,
        read_ahead: ReadAhead | int | None,
        conflate: Collection[str],
    ) -> Plan:
        session = Session(
            self._edges,
            format_selection(patterns, start) + format_filters(types, max_rate, until),
            cursor=_read_cursor(start),
            timeout=self._timeout,
            backoff=Backoff(base=self._backoff_base, cap=self._backoff_cap),
            observe=observe,
        )
        key = format_key(self._edges.tenant, patterns, types, until)
        bookmark = None if cursor is None else Bookmark(cursor, key)
        return Plan(session, bookmark, check_read_ahead(read_ahead, conflate), conflate)


class StreamCore:
    """What can be known of a stream at any time."""

    def __init__(self, plan: Plan) -> None:
        self._session = plan.session
        self._bookmark = plan.bookmark
        self._plan = plan
        self._buffer: Buffer | None = None
        self._conflated = 0

    @property
    def cursor(self) -> str | None:
        """The id to keep, and to pass as `start` to go on from here: behind the last item the loop has got.

        It moves on idle streams too, so that it does not grow older than what the log keeps. None until the stream
        is opened, if it was not started at an id.
        """
        return self._session.cursor if self._buffer is None else self._buffer.cursor

    @property
    def conflated(self) -> int:
        """How many events a newer one has taken the place of, while they waited for the loop."""
        return self._conflated + (0 if self._buffer is None else self._buffer.conflated)

    @property
    def link(self) -> Link:
        """How the stream is connected, as of the last time it was read."""
        return self._session.link

    def _begin_buffer(self, limits: ReadAhead) -> Buffer:
        self._buffer = Buffer(limits, self._plan.conflate, self._session.cursor)
        return self._buffer

    def _end_buffer(self) -> None:
        """Forget what was read ahead: it is asked for again, if there is another loop."""
        if self._buffer is None:
            return
        if self._buffer or not self._session.ended:
            self._session.rewind(self._buffer.cursor)
        self._conflated += self._buffer.conflated
        self._buffer = None

    def _restore(self, bookmark: Bookmark, cursor: str | None) -> None:
        if bookmark.restore(cursor) is not None:
            self._session.rewind(cursor)

    def _is_due(self) -> bool:
        """Count what the loop has got as processed, and return whether to save that now."""
        bookmark = self._bookmark
        if bookmark is None:
            return False
        bookmark.reach(self.cursor)
        return bookmark.due_in is not None and bookmark.due_in <= 0

    @property
    def _patience(self) -> float | None:
        """Seconds for which the loop may wait for an item; None if it may for ever."""
        due_in = None if self._bookmark is None else self._bookmark.due_in
        return None if due_in is None else max(0.0, due_in)

    def _find_bookmark(self) -> Bookmark:
        if self._bookmark is None:
            raise InvalidInput("the stream was opened without cursor=, so there is nowhere to save to")
        return self._bookmark


class JobCore:
    """A job to watch.

    Attributes:
        id: the job's id.
        user: its owner, None if it has none.
        topic: where its events are.
    """

    def __init__(self, job: str, user: str | None) -> None:
        """Name the job, which need not exist yet.

        Raises:
            InvalidTopic: id or user are empty.
        """
        self.id = job
        self.user = user
        self.topic = format_job_topic(job, user)


def describe_patience(topic: str, timeout: float | None) -> str:
    """Return what there is to say of a job that has not ended in time."""
    return f"the job {topic} has not ended in {timeout} s; whether it is there, `state` tells"


def _read_cursor(start: Start) -> Position | None:
    try:
        return parse_position(start) if isinstance(start, str) else None
    except InvalidPosition:
        return None
