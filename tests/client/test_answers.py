"""What answers mean."""

from datetime import UTC, datetime

import pytest
from tailrace_client.answers import is_stream, is_transient, read_refusal, read_retry_after
from tailrace_protocol.errors import EdgeRefused, NotFound

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Sat, 31 Jan 2026 12:00:30 GMT", 30),
        ("Sat, 31 Jan 2026 12:00:30 -0000", 30),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("", 0),
        ("9" * 400, float("inf")),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 0),
        ("Sat, 31 Jan 2026 12:00:00 +99999999999999999999", 0),
    ],
)
def test_retry_after(text: str, seconds: float) -> None:
    """Seconds, or an HTTP date; what is neither asks for nothing (RFC 9110, 10.2.3)."""
    assert read_retry_after({"retry-after": text}, NOW) == seconds
    assert read_retry_after({}, NOW) == 0


@pytest.mark.parametrize(
    ("body", "content_type", "title", "detail"),
    [
        (b'{"title":"Bad topic","detail":"no dots"}', "application/problem+json", "Bad topic", "no dots"),
        (b'{"title":"Bad topic"}', "application/problem+json; charset=utf-8", "Bad topic", "it says no more"),
        (b"{", "application/problem+json", "Bad Request", "{"),
        (b"\xff\xfe", "application/problem+json", "Bad Request", "\ufffd\ufffd"),
        (b"<h1>\n Oops </h1>", "text/html", "Bad Request", "<h1> Oops </h1>"),
        (b"x" * 1000, "text/plain", "Bad Request", "x" * 200),
    ],
)
def test_refusals_say_what_the_answer_says(body: bytes, content_type: str, title: str, detail: str) -> None:
    """From problem+json where it is that, else from the status and the beginning of the body."""
    error = read_refusal(400, {"content-type": content_type}, body)

    assert (type(error), error.status, error.title) == (EdgeRefused, 400, title)
    assert error.detail.startswith(detail)


def test_status_tells_the_error() -> None:
    """404 is NotFound; a status without a name is told as such; a redirect tells where to."""
    assert type(read_refusal(404, {}, b"")) is NotFound
    assert read_refusal(499, {}, b"").title == "Unknown status"
    assert "https://there" in str(read_refusal(308, {"location": "https://there"}, b""))


def test_what_may_pass() -> None:
    """Overload, timeouts and servers' faults are transient; the rest is not."""
    assert [status for status in range(200, 600) if is_transient(status)] == [408, 425, 429, *range(500, 600)]


def test_identity_is_no_encoding() -> None:
    """A server may name the encoding that is none."""
    assert is_stream({"content-type": "text/event-stream", "content-encoding": "identity"})
    assert not is_stream({"content-type": "text/event-stream", "content-encoding": "br"})
