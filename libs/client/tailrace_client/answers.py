"""Answers: what the status of an edge's answer means, and what its headers and body say."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec
from tailrace_protocol.errors import EdgeRefused, NotFound

from tailrace_client.errors import JobEnded, NoWorker, Unauthorized

STREAM_TYPE = "text/event-stream"

_PROBLEM = "urn:tailrace:problem:"
_KINDS: dict[str, type[EdgeRefused]] = {f"{_PROBLEM}job-ended": JobEnded, f"{_PROBLEM}no-worker": NoWorker}
_STATUSES: dict[int, type[EdgeRefused]] = {401: Unauthorized, 404: NotFound}
"""Also of answers that are none of an edge's, as from a proxy that checks tokens itself."""

_TRANSIENT = frozenset({408, 425, 429})


class _Problem(msgspec.Struct, frozen=True):
    """RFC 9457."""

    type: str = ""
    title: str = ""
    detail: str = ""


_problem_decoder = msgspec.json.Decoder(_Problem)


def is_transient(status: int) -> bool:
    """Return whether the same request may succeed later: overload and servers' faults (RFC 9110, 15.6)."""
    return status >= 500 or status in _TRANSIENT


def is_stream(headers: Mapping[str, str]) -> bool:
    """Return whether an answer is an event stream that was not encoded on the way."""
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == STREAM_TYPE and headers.get("content-encoding", "identity").lower() == "identity"


def describe_no_stream(status: int, headers: Mapping[str, str]) -> EdgeRefused:
    """Return the error for an answer of status 200 that is no event stream."""
    came = ", ".join(f"{name}: {headers[name]}" for name in ("content-type", "content-encoding") if name in headers)
    return EdgeRefused(
        status, "Not an event stream", f"{came or 'no content-type'} came; is something between here and the edge?"
    )


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> EdgeRefused:
    """Return the error that an answer stands for, from its problem+json where it has one (RFC 9457)."""
    problem = _read_problem(headers, body) or _Problem(detail=_excerpt(headers, body))
    kind = _KINDS.get(problem.type) or _STATUSES.get(status, EdgeRefused)
    return kind(status, problem.title or _phrase(status), problem.detail or "it says no more")


def read_retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the seconds that `Retry-After` asks for, 0 if it asks for none (RFC 9110, 10.2.3).

    Args:
        headers: of the answer.
        now: what an HTTP date counts from, the present by default.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, OverflowError):
        return 0.0


def _read_problem(headers: Mapping[str, str], body: bytes) -> _Problem | None:
    if not headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        return _problem_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown status"


def _excerpt(headers: Mapping[str, str], body: bytes) -> str:
    if "location" in headers:
        return f"it points to {headers['location']}; pass that address as url="
    return " ".join(body[:400].decode(errors="replace").split())[:200]
