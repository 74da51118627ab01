import random
from collections import Counter

import pytest
from tailrace_edge.engine.subscriber import Subscriber
from tailrace_edge.engine.wheel import Wheel


def make_wheel(count: int, period: float = 15.0) -> tuple[Wheel, list[Subscriber]]:
    wheel = Wheel(period)
    subscribers = [Subscriber(number, expires=1e9) for number in range(count)]
    for subscriber in subscribers:
        wheel.add(subscriber)
    assert list(wheel.turn(100.0)) == []
    return wheel, subscribers


@pytest.mark.parametrize("step", [0.05, 0.1, 0.25, 0.3, 1.0, 7.0])
def test_each_is_due_once_a_turn(step: float) -> None:
    wheel, subscribers = make_wheel(200)
    due: Counter[Subscriber] = Counter()
    turns = 7
    for number in range(1, round(turns * 15 / step) + 1):
        due.update(wheel.turn(100.0 + number * step))

    assert set(due) == set(subscribers)
    assert all(abs(count - turns) <= 1 for count in due.values())
    assert abs(sum(due.values()) - turns * 200) <= 200 * step / 15 + 40


def test_turns_are_spread_evenly() -> None:
    random.seed(1)
    wheel, _ = make_wheel(6000)
    shares = [len(list(wheel.turn(100.0 + second))) for second in range(1, 16)]

    assert sum(shares) == 6000
    assert max(shares) < 1.3 * 400


def test_each_is_due_once_after_a_long_pause() -> None:
    wheel, subscribers = make_wheel(50)

    assert sorted(s.handle for s in wheel.turn(1000.0)) == [s.handle for s in subscribers]
    assert list(wheel.turn(1000.1)) == []


def test_removed_is_never_due() -> None:
    wheel, subscribers = make_wheel(3)
    wheel.remove(subscribers[1])
    wheel.remove(subscribers[1])

    assert subscribers[1] not in list(wheel.turn(200.0))


def test_one_may_leave_while_others_have_their_turn() -> None:
    wheel, _ = make_wheel(20)
    for subscriber in wheel.turn(200.0):
        wheel.remove(subscriber)

    assert list(wheel.turn(300.0)) == []
