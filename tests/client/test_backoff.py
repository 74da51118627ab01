"""Back-off, from a seeded source of jitter."""

import random

import pytest
from tailrace_client.backoff import MAX_FLOOR, Backoff


class Highest(random.Random):
    """Always draws the highest value."""

    def uniform(self, a: float, b: float) -> float:
        return b


def test_ceiling_doubles_up_to_the_cap() -> None:
    """1, 2, 4, 8, 16 and then 30 seconds at most, however many failures follow."""
    backoff = Backoff(source=Highest())

    assert [backoff.fail() for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]
    assert [backoff.fail() for _ in range(2000)][-1] == 30


def test_jitter_is_full_after_the_cap() -> None:
    """At the cap the waits still spread over all of it, from nothing on."""
    backoff = Backoff(source=random.Random(1))
    for _ in range(10):
        backoff.fail()
    waits = [backoff.fail() for _ in range(4000)]

    assert 0 <= min(waits) < 0.5
    assert 29.5 < max(waits) <= 30
    assert sum(waits) / len(waits) == pytest.approx(15, abs=0.5)


def test_two_clients_differ() -> None:
    """The source of jitter is seeded by the system."""
    assert Backoff().fail() != Backoff().fail()


def test_floor_comes_below_the_jitter() -> None:
    """Nobody comes back before the floor, nor all of them at it."""
    backoff = Backoff(source=random.Random(1))
    waits = [backoff.fail(5) for _ in range(100)]

    assert min(waits) >= 5
    assert len(set(waits)) == 100


def test_absurd_floor_is_bounded() -> None:
    """A server that asks for more than an hour is asked again after one."""
    assert Backoff(source=Highest()).fail(1e9) == MAX_FLOOR + 1


def test_reset_begins_again() -> None:
    """After a reset the next failure is the first."""
    backoff = Backoff(source=Highest(), base=2)
    backoff.fail()
    backoff.fail()
    backoff.reset()

    assert backoff.fail() == 2
