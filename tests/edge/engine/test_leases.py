from datetime import UTC, datetime

import pytest
from edge.engine.samples import JOB, Harness, kinds, make_entries
from tailrace_edge.engine.leases import Lease, Leases
from tailrace_edge.engine.subscriber import Subscriber
from tailrace_protocol.closing import CloseReason

EXPIRES = datetime(2026, 11, 21, 12, tzinfo=UTC)


def make_subscriber(warn_at: float, until: float) -> Subscriber:
    return Subscriber(None, expires=1e9, lease=Lease(warn_at, until, EXPIRES))


def turn(leases: Leases, *times: float) -> list[float]:
    return [now for now in times for _ in leases.turn(now)]


def test_one_has_its_turn_when_it_is_warned_and_from_its_end_on() -> None:
    leases = Leases()
    assert turn(leases, 99.9) == []
    leases.add(make_subscriber(110.5, 120.2), 100.0)

    assert turn(leases, 110.4, 110.9, 111.0, 111.1, 120.9, 121.0, 122.0) == [111.0, 121.0, 122.0]


@pytest.mark.parametrize("pause", [1000.0, 130.0])
def test_none_is_missed_after_a_pause(pause: float) -> None:
    leases = Leases()
    assert turn(leases, 100.0) == []
    leases.add(make_subscriber(110.0, 120.0), 100.0)

    assert turn(leases, pause) == [pause]


def test_one_whose_time_is_over_is_due_at_once() -> None:
    leases = Leases()
    leases.add(make_subscriber(10.0, 20.0), 100.7)

    assert turn(leases, 100.9, 101.0) == [101.0]


def test_those_without_a_lease_and_those_that_left_have_no_turn() -> None:
    leases = Leases()
    stays, leaves = make_subscriber(110.0, 120.0), make_subscriber(110.0, 120.0)
    for subscriber in (stays, leaves, Subscriber(None, expires=1e9)):
        leases.add(subscriber, 100.0)
    leases.remove(leaves)
    leases.remove(leaves)

    assert list(leases.turn(111.0)) == [stays]


def test_client_is_told_once_and_the_stream_ends() -> None:
    harness = Harness()
    harness.append(*make_entries("log"))
    subscriber = harness.attach_live(JOB)
    now = harness.now
    subscriber.lease = Lease(now + 10, now + 20, EXPIRES)

    leases = Leases()
    leases.add(subscriber, now)

    def beat(at: float) -> object:
        action = harness.engine.beat(subscriber, at)
        return action if isinstance(action, CloseReason) or action is None else action.data

    assert b"challenge" not in beat(now + 9)  # type: ignore[operator]
    assert beat(now + 10) == b'event: tailrace\ndata: {"kind":"challenge","expires":"2026-11-21T12:00:00Z"}\n\n'
    assert list(leases.turn(now + 11)) == [subscriber]
    assert beat(now + 11) == b": hb\n"
    assert beat(now + 20) is CloseReason.TOKEN_EXPIRED
    assert kinds(harness.read(subscriber)) == []


def test_blocked_one_is_told_later_and_ends_in_time() -> None:
    harness = Harness()
    subscriber = harness.attach_live(JOB)
    now = harness.now
    subscriber.lease = Lease(now + 10, now + 20, EXPIRES)
    harness.room[subscriber] = 3
    harness.append(*make_entries("log"))

    assert harness.engine.beat(subscriber, now + 10) is None
    assert harness.engine.beat(subscriber, now + 20) is CloseReason.TOKEN_EXPIRED
    harness.unblock(subscriber)
    action = harness.engine.beat(subscriber, now + 12)
    assert not isinstance(action, CloseReason)
    assert action is not None
    assert b"challenge" in action.data
