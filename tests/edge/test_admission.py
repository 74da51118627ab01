"""The limits of one edge, and whose address counts."""

from typing import Any

import pytest
from tailrace_edge import admission
from tailrace_edge.admission import Admission, Rate, Seat
from tailrace_edge.problems import Problem
from tailrace_edge.settings import Settings

ALICE = Seat("acme", "alice", "192.0.2.1")
BOB = Seat("acme", "bob", "192.0.2.2")
CAROL = Seat("beta", "alice", "192.0.2.1")


def make_admission(**settings: Any) -> Admission:
    return Admission(Settings(**settings))


def is_refused(limits: Admission, seat: Seat) -> Problem | None:
    try:
        limits.enter(seat)
    except Problem as problem:
        return problem
    return None


@pytest.mark.parametrize(
    ("limit", "inside", "beyond", "other", "status"),
    [
        ("max_connections", [ALICE, BOB], CAROL, None, 503),
        ("max_connections_per_tenant", [ALICE, BOB], ALICE, CAROL, 429),
        ("max_connections_per_principal", [ALICE, ALICE], ALICE, CAROL, 429),
        ("max_connections_per_address", [ALICE, CAROL], ALICE, BOB, 429),
    ],
)
def test_one_more_than_the_limit_is_refused(
    limit: str, inside: list[Seat], beyond: Seat, other: Seat | None, status: int
) -> None:
    limits = make_admission(**{limit: 2})
    for seat in inside:
        limits.enter(seat)
    problem = is_refused(limits, beyond)

    assert problem is not None
    assert (problem.status, problem.headers["retry-after"]) == (status, "5")
    assert limit in problem.detail
    assert problem.limit == limit
    if other is not None:
        limits.enter(other)
    limits.leave(inside[0])
    assert is_refused(limits, inside[0]) is None
    assert is_refused(limits, inside[0]) is not None


def test_one_that_is_refused_takes_no_seat() -> None:
    limits = make_admission(max_connections=1, max_connections_per_tenant=5)
    limits.enter(ALICE)
    for _ in range(20):
        assert is_refused(limits, BOB) is not None
    limits.leave(ALICE)

    assert is_refused(limits, BOB) is None


def test_those_without_a_name_are_no_principal_together() -> None:
    limits = make_admission(max_connections_per_principal=1)

    for _ in range(3):
        limits.enter(Seat("acme", "", "192.0.2.1"))


def test_open_files_are_the_limit_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (503, 503))
    limits = make_admission()
    for _ in range(3):
        limits.enter(ALICE)

    assert is_refused(limits, ALICE) is not None


def test_streams_a_second_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limits = make_admission(connects_per_second=2)
    limits.enter(ALICE)
    limits.enter(BOB)
    problem = is_refused(limits, CAROL)
    assert problem is not None
    assert (problem.status, problem.headers["retry-after"]) == (503, "1")
    assert problem.limit == "connects_per_second"

    now = 100.5
    limits.enter(CAROL)
    assert is_refused(limits, CAROL) is not None


def test_published_events_are_limited_by_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    limits = make_admission(publishes_per_second=10)
    with limits.publish("acme", 10):
        pass
    with pytest.raises(Problem, match="publishes_per_second") as caught, limits.publish("acme", 5):
        pass
    assert (caught.value.status, caught.value.headers["retry-after"]) == (429, "1")
    with limits.publish("beta", 10):
        pass

    now = 100.5
    with limits.publish("acme", 5):
        pass


def test_what_waits_for_the_broker_is_limited_for_all_together() -> None:
    limits = make_admission(max_publishing=10)
    with limits.publish("acme", 7):
        with pytest.raises(Problem, match="max_publishing") as caught, limits.publish("beta", 4):
            pass
        assert (caught.value.status, caught.value.headers["retry-after"]) == (503, "1")
        assert caught.value.limit == "max_publishing"
        with limits.publish("beta", 3):
            pass


def test_a_request_larger_than_what_may_wait_is_let_in_alone() -> None:
    limits = make_admission(max_publishing=10)
    with limits.publish("acme", 11), pytest.raises(Problem, match="max_publishing"), limits.publish("acme", 1):
        pass


# Rates


def test_more_than_a_second_allows_has_to_be_made_up_for() -> None:
    rate = Rate(10)
    assert rate.take("a", 40, 100.0) == 0.0

    assert rate.take("a", 1, 102.9) == pytest.approx(0.2)
    assert rate.take("a", 1, 103.2) == 0.0


def test_a_rate_below_one_a_second_allows_one_now_and_then() -> None:
    rate = Rate(0.1)
    assert rate.take("a", 1, 100.0) == 0.0

    assert rate.take("a", 1, 105.0) == pytest.approx(5.0)
    assert rate.take("a", 1, 110.0) == 0.0


def test_full_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MANY", 10)
    rate = Rate(1)
    for number in range(100):
        assert rate.take(str(number), 1, 100.0 + number) == 0.0

    assert len(rate._buckets) <= 11
    assert rate.take("99", 1, 199.5) > 0


# Addresses


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.7", ["203.0.113.9"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4", "203.0.113.9,10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("fd00::1", ["2001:db8::9"], "2001:db8::9"),
        # With a port, as Azure's gateways write it; in brackets; and from a listener on `::`.
        ("10.0.0.1", ["203.0.113.9:1234"], "203.0.113.9"),
        ("10.0.0.1", ["1.2.3.4, 203.0.113.9:1234, 10.9.9.9:80"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::9]:443"], "2001:db8::9"),
        ("10.0.0.1", ["[2001:db8::9]"], "2001:db8::9"),
        ("10.0.0.1", ["203.0.113.9:port"], "10.0.0.1"),
        ("10.0.0.1", ["[nonsense]:443"], "10.0.0.1"),
        ("10.0.0.1", ["[]:443"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:192.0.2.7", ["203.0.113.9"], "192.0.2.7"),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(peer: str, forwarded: list[str], address: str) -> None:
    limits = make_admission(trusted_proxies="10.0.0.0/8, fd00::/8")
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]

    assert limits.find_address({"client": (peer, 1), "headers": headers}) == address


def test_without_trusted_proxies_nobody_is_believed() -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.9")]

    assert make_admission().find_address({"client": ("127.0.0.1", 1), "headers": headers}) == "127.0.0.1"
    assert make_admission().find_address({"client": None, "headers": headers}) == ""


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("", "", True),
    ],
)
def test_a_customer_of_a_provider_counts_as_one_address(one: str, other: str, together: bool) -> None:
    limits = make_admission(max_connections_per_address=1)
    limits.enter(Seat("acme", "", one))
    assert (is_refused(limits, Seat("acme", "", other)) is not None) == together
    limits.leave(Seat("acme", "", one))
    assert is_refused(limits, Seat("acme", "", one)) is None
