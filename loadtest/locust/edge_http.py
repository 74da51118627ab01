"""HTTP to an edge or a load balancer, over sockets that locust's gevent makes cooperative."""

import os
import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

TOKEN = "TAILRACE_TOKEN"  # the name of a variable
"""The variable that holds the bearer token. It is no option: options are seen by everybody on the machine."""

UNREACHABLE = (OSError, HTTPException)
"""What is raised where no answer comes."""


class Answer(NamedTuple):
    """What came back, headers by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


def read_token() -> str | None:
    """Return the bearer token; None if there is none."""
    return os.environ.get(TOKEN) or None


def connect(url: str, timeout: float) -> HTTPConnection:
    """Return a connection that is made with the first request.

    Args:
        url: whatever lies on the server.
        timeout: seconds, for each step.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=_make_context())
    return HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)


def format_target(url: str) -> str:
    """Return the part of a URL that stands in the request."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def read_headers(response: HTTPResponse) -> dict[str, str]:
    """Return the headers by lower-case name."""
    return {name.lower(): value for name, value in response.getheaders()}


class EdgeCaller:
    """Calls that are answered at once, over one connection that is kept while it works."""

    def __init__(self, host: str, timeout: float = 30.0) -> None:
        """Make one that is not connected.

        Args:
            host: the URL of the edge or the load balancer.
            timeout: seconds, for each step.
        """
        self._host = host.rstrip("/")
        self._timeout = timeout
        self._connection: HTTPConnection | None = None
        token = read_token()
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Return the answer to a request.

        Raises:
            OSError: no answer came.
            HTTPException: what came is no HTTP.
        """
        connection = self._connection or connect(self._host, self._timeout)
        self._connection = None
        try:
            connection.request(method, path, body, self._headers | (headers or {}))
            response = connection.getresponse()
            answer = Answer(response.status, read_headers(response), response.read())
        except UNREACHABLE:
            connection.close()
            raise
        if not response.will_close:
            self._connection = connection
        return answer


_context: ssl.SSLContext | None = None


def _make_context() -> ssl.SSLContext:
    # One for all: each holds the certificates of all authorities.
    global _context  # noqa: PLW0603  # made when first needed
    if _context is None:
        _context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    return _context
