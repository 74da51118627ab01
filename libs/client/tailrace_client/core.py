"""What the async and the sync client have in common: settings, and what is made of them."""

import ssl
from collections.abc import Sequence
from typing import Any

import httpx
from tailrace_protocol.errors import InvalidPosition
from tailrace_protocol.jobs import format_job_topic
from tailrace_protocol.positions import Position, parse_position

from tailrace_client.backoff import Backoff
from tailrace_client.edges import Edges
from tailrace_client.link import Link
from tailrace_client.queries import Start, Until, format_filters, format_selection
from tailrace_client.session import Observe, Session

UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors after which the request has surely not reached the edge."""


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
        token: str | None = None,
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
            token: sent as `Authorization: Bearer`, never in a URL.
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
        self._timeout = timeout
        self._backoff_base = backoff_base
        self._backoff_cap = backoff_cap
        self._http_settings: dict[str, Any] = {
            "timeout": httpx.Timeout(timeout),
            "verify": verify,
            # A stream takes a connection for as long as it lasts; any number may be open.
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
        }

    def _open_session(
        self,
        patterns: Sequence[str],
        start: Start,
        types: Sequence[str] | None,
        max_rate: float | None,
        until: Until | None,
        observe: Observe | None,
    ) -> Session:
        fields = format_selection(patterns, start) + format_filters(types, max_rate, until)
        backoff = Backoff(base=self._backoff_base, cap=self._backoff_cap)
        return Session(
            self._edges,
            fields,
            cursor=_read_cursor(start),
            timeout=self._timeout,
            backoff=backoff,
            observe=observe,
        )


class StreamCore:
    """What can be known of a stream at any time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def cursor(self) -> str | None:
        """The id to keep, and to pass as `start` to go on from here: behind the last item the loop has got.

        It moves on idle streams too, so that it does not grow older than what the log keeps. None until the stream
        is opened, if it was not started at an id.
        """
        return self._session.cursor

    @property
    def link(self) -> Link:
        """How the stream is connected, as of the last time it was read."""
        return self._session.link


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


def _read_cursor(start: Start) -> Position | None:
    try:
        return parse_position(start) if isinstance(start, str) else None
    except InvalidPosition:
        return None
