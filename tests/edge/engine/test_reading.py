import pytest
from edge.engine.samples import make_entries, make_interest
from tailrace_edge.engine.hub import Group
from tailrace_edge.engine.reading import Reading, choose_members
from tailrace_edge.engine.subscriber import Subscriber


def make_member(cursor: int, *patterns: str) -> Subscriber:
    subscriber = Subscriber(cursor, expires=1e9)
    subscriber.group = Group(make_interest(*(patterns or ("acme.x",))))
    subscriber.cursor = cursor
    return subscriber


def choose(cursors: list[int], start: int) -> list[int]:
    return [member.cursor for member in choose_members([make_member(cursor) for cursor in cursors], start)]


def test_those_close_to_the_one_that_waits_longest_are_read_for_with_it() -> None:
    assert choose([600_000, 900_000, 1, 740_000, 260_000, 480_000], 1_000_000) == [600_000, 740_000, 260_000, 480_000]


def test_who_waits_longest_is_always_read_for() -> None:
    assert choose([1, 5_000_000], 5_000_001) == [1]
    assert choose([5_000_000, 1], 5_000_001) == [5_000_000]


def test_distances_that_cost_nothing_do_not_matter() -> None:
    assert choose([9_900, 0, 9_999], 10_000) == [9_900, 0, 9_999]


@pytest.mark.parametrize(
    ("patterns", "merged"),
    [
        ([("acme.x",), ("acme.y",)], ["acme.x", "acme.y"]),
        ([("acme.x", "acme.y.z"), ("acme.>",)], ["acme.>"]),
        ([("acme.x",), ("acme.x",)], ["acme.x"]),
        ([(f"acme.{n}",) for n in range(32)], [f"acme.{n}" for n in range(32)]),
        ([(f"acme.{n}",) for n in range(33)], None),
    ],
)
def test_patterns_are_merged_until_there_are_too_many(
    patterns: list[tuple[str, ...]], merged: list[str] | None
) -> None:
    assert Reading([make_member(1, *one) for one in patterns], covers=100).patterns == merged


def test_reading_begins_with_the_oldest_member() -> None:
    reading = Reading([make_member(7), make_member(3)], covers=10)

    assert (reading.after, reading.reached, reading.served, reading.until) == (3, 3, 3, 10)
    assert not reading.complete


def test_reading_is_complete_once_its_proof_has_come() -> None:
    reading = Reading([make_member(3)], covers=10)
    reading.until = 12
    reading.hold(make_entries("log", "log", after=9))
    assert (reading.reached, reading.complete) == (11, False)
    reading.hold(make_entries("log", after=12))
    assert (reading.reached, reading.complete) == (13, True)


def test_reading_serves_no_more_than_it_covers() -> None:
    reading = Reading([make_member(3)], covers=10)
    entries = make_entries("log", "log", "log", after=8)
    reading.hold(entries)

    assert reading.held == entries[:2]
    assert (reading.held_after, reading.served, reading.reached) == (3, 10, 11)


def test_member_that_has_not_taken_all_lags() -> None:
    one, other = make_member(3), make_member(3)
    reading = Reading([one, other], covers=10)
    for member in (one, other):
        reading.join(member)
    assert (reading.lagging, reading.stuck) == (False, False)

    reading.hold(make_entries("log", after=4))
    for member in (one, other):
        reading.place(member)
    assert (reading.lagging, reading.stuck) == (True, False)
    reading.block(other)
    assert (reading.lagging, reading.stuck) == (True, False)
    one.cursor = 5
    reading.place(one)
    assert (reading.lagging, reading.stuck) == (True, True)
    reading.leave(other)
    assert (reading.lagging, reading.stuck) == (False, False)


def test_reading_is_empty_once_all_have_left() -> None:
    members = [make_member(3), make_member(3), make_member(3)]
    reading = Reading(members, covers=10)
    for member in members:
        reading.join(member)
    reading.hold(make_entries("log", after=4))
    reading.place(members[0])
    reading.block(members[1])

    assert reading.members == members
    for member in members:
        reading.leave(member)
    assert reading.empty
    assert [(member.cursor, member.reading) for member in members] == [(3, None), (3, None), (5, None)]


def test_only_who_missed_nothing_can_join() -> None:
    member = make_member(3, "acme.>")
    reading = Reading([member], covers=10)
    late = make_member(5, "acme.>")
    late.group = member.group
    stranger = make_member(5, "beta.x")

    assert reading.takes(late)
    assert not reading.takes(stranger)
    reading.hold(make_entries("log", after=5))
    assert reading.takes(late)
    reading.hold(make_entries("log", after=6))
    assert not reading.takes(late)
    late.cursor = 10
    assert not reading.takes(late)


def test_anyone_can_join_a_reading_of_everything() -> None:
    reading = Reading([make_member(1, *(f"acme.{n}" for n in range(40)))], covers=10)

    assert reading.takes(make_member(5, "beta.x"))
