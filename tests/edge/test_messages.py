"""What JetStream's reply subjects and headers say."""

import pytest
from tailrace_edge.messages import (
    Delivery,
    find_header,
    is_delivery,
    make_entry,
    parse_delivery,
    parse_status,
    parse_time,
)

OLD = b"$JS.ACK.EVENTS.c1.1.42.7.1700000000000000001.3"
NEW = b"$JS.ACK.hub._account.EVENTS.c1.1.42.7.1700000000000000001.3"
HEADER = b"NATS/1.0\r\nX-A: b\r\nNats-Sequence: 1\r\nNats-Sequence: 42\r\n\r\n"


@pytest.mark.parametrize("reply", [OLD, NEW, NEW + b".token"])
def test_deliveries_of_every_form(reply: bytes) -> None:
    assert parse_delivery(reply) == Delivery(42, 7, 1700000000000000001, 3)
    assert is_delivery(reply)


@pytest.mark.parametrize("reply", [b"", b"_INBOX.x", b"$JS.ACK.EVENTS.c1.1.42", b"$JS.ACK.a.b.c.d.e.f.g"])
def test_what_is_no_delivery(reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"acknowledgement|invalid literal"):
        parse_delivery(reply)


@pytest.mark.parametrize("reply", [b"", b"_INBOX.x", b"$JS.FC.EVENTS.c1.x"])
def test_control_messages_are_no_deliveries(reply: bytes) -> None:
    assert not is_delivery(reply)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"", None),
        (b"NATS/1.0\r\n100: 200\r\n\r\n", None),
        (b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 5\r\n\r\n", 100),
        (b"NATS/1.0 404\r\n\r\n", 404),
        (HEADER, None),
    ],
)
def test_status(header: bytes, status: int | None) -> None:
    assert parse_status(header) == status


def test_the_last_header_counts() -> None:
    """The server appends its own behind those that a publisher forged."""
    assert find_header(HEADER, b"Nats-Sequence") == b"42"
    assert find_header(HEADER, b"X-A") == b"b"
    assert find_header(HEADER, b"Nats-Seq") is None
    assert find_header(b"", b"X-A") is None


def test_entries() -> None:
    entry = make_entry("5f2c91ab", 42, b"events.acme.a.b", HEADER, b"{}", 7)
    assert entry is not None
    assert (entry.id, entry.path, entry.topic, entry.stored_at) == ("5f2c91ab-42", "acme.a.b", "a.b", 7)
    marker = b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n"
    assert make_entry("5f2c91ab", 42, b"events.acme.a", marker, b"", 7) is None
    broken = make_entry("5f2c91ab", 42, b"events.acme.\xff", b"", b"", 7)
    assert broken is not None
    assert broken.topic == "\ufffd"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"1970-01-01T00:00:01Z", 1_000_000_000),
        (b"1970-01-01T00:00:01.5Z", 1_500_000_000),
        (b"2026-11-21T01:02:03.000000001Z", 1_795_222_923_000_000_001),
        (b"2026-11-21T01:02:03.123456789Z", 1_795_222_923_123_456_789),
    ],
)
def test_times_keep_their_nanoseconds(text: bytes, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds
