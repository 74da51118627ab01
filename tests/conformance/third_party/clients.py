"""The clients, and what those do that fail by their own fault."""

from enum import Enum, auto
from typing import NamedTuple


class Environment(Enum):
    """Where a client runs."""

    NPM = auto()
    CHROMIUM = auto()
    """From npm too, but for browsers only."""
    PYPI = auto()
    NIQUESTS = auto()
    """From PyPI, by itself: what it depends on takes the place of urllib3."""


class Fault(NamedTuple):
    """What a client does wrong whatever server it reads from.

    Attributes:
        damage: what it makes of the stream, in the words of `story.describe_damage`.
        reason: why.
    """

    damage: str
    reason: str


class Client(NamedTuple):
    """One client.

    Attributes:
        name: of its package.
        version: the one that is pinned.
        program: in `readers`, that reads with it; a Python one without its suffix.
        environment: that it runs in.
        fault: of its own; None for none.
    """

    name: str
    version: str
    program: str
    environment: Environment
    fault: Fault | None = None


_EARLY = Fault(
    "lost 333, 667",
    "loses an event that is cut: it takes the id for seen as soon as its line has come, and asks for what follows it",
)
_HALF = Fault(
    "lost 333; garbled 333",
    "delivers half an event: it takes what came before the end of the stream for a whole one",
)
_LEFT_OVER = Fault(
    "garbled control, control; opened a live",
    "garbles the first event of a new connection: it puts what was left of the one that was cut before it",
)

_NPM, _PYPI = Environment.NPM, Environment.PYPI

CLIENTS = (
    Client("@microsoft/fetch-event-source", "2.0.1", "fetch-event-source.mjs", _NPM, _EARLY),
    Client("event-source-plus", "0.1.15", "event-source-plus.mjs", _NPM),
    Client("event-source-polyfill", "1.0.31", "event-source-polyfill.mjs", _NPM),
    Client("eventsource", "5.1.5", "eventsource.mjs", _NPM),
    Client("eventsource 4", "4.1.1", "eventsource4.mjs", _NPM),
    Client("eventsource-client", "1.2.0", "eventsource-client.mjs", _NPM),
    Client("extended-eventsource", "2.1.0", "extended-eventsource.mjs", _NPM, _EARLY),
    Client("launchdarkly-eventsource (npm)", "2.2.0", "launchdarkly-eventsource.mjs", _NPM),
    Client("reconnecting-eventsource", "1.6.5", "reconnecting-eventsource.mjs", _NPM),
    Client("sse.js", "2.8.0", "sse.mjs", Environment.CHROMIUM, _HALF),
    Client("undici", "8.12.4", "undici.mjs", _NPM),
    Client("aiohttp-sse-client2", "0.3.0", "read_aiohttp_sse_client2", _PYPI, _LEFT_OVER),
    Client("httpx-sse", "0.4.3", "read_httpx_sse", _PYPI),
    Client("launchdarkly-eventsource (PyPI)", "1.7.4", "read_launchdarkly_eventsource", _PYPI),
    Client("niquests", "3.21.2", "read_niquests", Environment.NIQUESTS),
    Client("requests-sse", "0.5.3", "read_requests_sse", _PYPI),
    Client("sseclient-py", "1.9.0", "read_sseclient_py", _PYPI, _HALF),
)
