from collections.abc import Collection, Sequence

import pytest
from edge.engine.samples import make_entry
from hypothesis import given
from hypothesis import strategies as st
from tailrace_edge.engine.entry import Entry
from tailrace_edge.engine.tail import PathMatcher, Tail
from tailrace_protocol.patterns import match_pattern

TOKENS = st.sampled_from("abc")
PATHS = st.lists(TOKENS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda tokens, rest: ".".join([*tokens, *rest]),
    st.lists(st.sampled_from("abc*"), min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)


def fill(
    paths: Sequence[str], budget: int = 1 << 30, step: int = 1, rollups: Collection[int] = ()
) -> tuple[Tail, list[Entry]]:
    """Return a tail and what is stored of the entries it was given."""
    tail = Tail(budget)
    entries: list[Entry] = []
    for number, path in enumerate(paths, 1):
        entry = make_entry(number * step, path)
        entry.rollup = number in rollups
        if entry.rollup:
            entries = [earlier for earlier in entries if earlier.path != path]
        entries.append(entry)
        tail.append(entry)
    return tail, entries


def read_all(tail: Tail, patterns: Sequence[str], cursor: int, limit: int) -> list[Entry]:
    found: list[Entry] = []
    reached: int | None = cursor
    while reached is not None:
        before = reached
        entries, reached = tail.read(patterns, reached, limit)
        assert len(entries) <= limit
        assert all(entry.sequence > before for entry in entries)
        assert reached is None or reached > before
        found += entries
    return found


@given(
    paths=st.lists(PATHS, max_size=60),
    patterns=st.lists(PATTERNS, min_size=1, max_size=3),
    cursor=st.integers(0, 130),
    limit=st.integers(1, 10),
    budget=st.sampled_from([0, 5_000, 1 << 30]),
    rollups=st.sets(st.integers(1, 60), max_size=6),
)
def test_read_returns_what_a_search_through_all_does(
    paths: list[str], patterns: list[str], cursor: int, limit: int, budget: int, rollups: set[int]
) -> None:
    tail, entries = fill(paths, budget, step=2, rollups=rollups)
    cursor = max(cursor, tail.start - 1)

    found = read_all(tail, patterns, cursor, limit)

    assert found == [
        entry for entry in entries if entry.sequence > cursor and any(match_pattern(p, entry.path) for p in patterns)
    ]


@given(paths=st.lists(PATHS, max_size=60), patterns=st.lists(PATTERNS, min_size=1, max_size=3))
def test_newest_is_that_of_each_topic(paths: list[str], patterns: list[str]) -> None:
    tail, entries = fill(paths, budget=5_000)
    kept = [entry for entry in entries if entry.sequence >= tail.start]
    newest = {entry.path: entry for entry in kept if any(match_pattern(p, entry.path) for p in patterns)}

    assert tail.newest(patterns) == sorted(newest.values(), key=lambda entry: entry.sequence)


def test_budget_holds_by_letting_the_oldest_go() -> None:
    tail, entries = fill(["acme.x"] * 10, budget=sum(make_entry(number).size for number in (8, 9, 10)))

    assert len(tail) == 3
    assert tail.size == sum(entry.size for entry in entries[7:])
    assert tail.start == 8
    assert tail.first is entries[7]


def test_newest_entry_stays_however_large_it_is() -> None:
    tail, entries = fill(["acme.x", "acme.y"], budget=0)

    assert len(tail) == 1
    assert tail.first is entries[1]
    assert tail.start == 2


def test_what_has_left_leaves_nothing_behind() -> None:
    tail, _ = fill([f"acme.jobs.{number}.a.b" for number in range(50)] + ["acme.x"], budget=0)

    assert list(tail._topics) == ["acme.x"]
    assert tail._tree == {"acme": {"x": {"": "acme.x"}}}


def test_memory_of_what_has_left_is_given_back() -> None:
    tail, _ = fill(["acme.x"] * 1000, budget=10 * make_entry(1).size)

    assert len(tail._entries._entries) <= 2 * len(tail)
    assert len(tail._topics["acme.x"]._entries) <= 2 * len(tail)


def test_topic_inside_a_topic_outlives_it() -> None:
    tail, _ = fill(["acme.x", "acme.x.y"], budget=0)

    assert [entry.path for entry in tail.newest(["acme.>"])] == ["acme.x.y"]


def test_empty_tail_has_nothing() -> None:
    tail = Tail(1000, start=18)

    assert (len(tail), tail.size, tail.first, tail.start) == (0, 0, None, 18)
    assert tail.read(["acme.>"], 17, 10) == ([], None)
    assert tail.newest(["acme.>"]) == []


def test_one_read_looks_at_no_more_than_its_share() -> None:
    tail, entries = fill([f"acme.{'x' if number % 1000 == 0 else 'y'}.{number}" for number in range(1, 5001)])

    found, reached = tail.read(["acme.x.*", "acme.*.none", "acme.y.1"], 0, 512)
    assert reached is None  # few topics: the index
    assert [entry.sequence for entry in found] == [1, 1000, 2000, 3000, 4000, 5000]

    found, reached = tail.read(["*.*.*"], 0, 10_000)
    assert found == entries[:2048]
    assert reached == 2048
    assert read_all(tail, ["*.*.*"], 0, 10_000) == entries


@pytest.mark.parametrize(
    ("seconds", "expected"), [(4.5, None), (5, None), (5.5, 6), (6, 6), (9, 9), (9.5, 10), (10, 10), (10.5, 11)]
)
def test_time_is_found_as_far_as_the_tail_reaches_back(seconds: float, expected: int | None) -> None:
    tail, _ = fill(["acme.x"] * 10, budget=6 * make_entry(10).size)

    assert tail.start == 5
    assert tail.find_time(int(seconds * 1e9)) == expected


def test_no_time_is_found_in_an_empty_tail() -> None:
    assert Tail(1000).find_time(0) is None


@given(path=PATHS, patterns=st.lists(PATTERNS, min_size=1, max_size=3))
def test_matcher_matches_as_the_patterns_do(path: str, patterns: list[str]) -> None:
    matcher = PathMatcher(patterns)
    expected = any(match_pattern(pattern, path) for pattern in patterns)

    assert matcher.matches(path) is expected
    assert matcher.matches(path) is expected
