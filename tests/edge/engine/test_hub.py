import pytest
from edge.engine.samples import make_entry, make_interest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_edge.engine import hub as hub_module
from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.hub import Group, Hub
from tailrace_protocol.patterns import match_pattern

PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(
    lambda tokens, rest: ".".join([*tokens, *rest]),
    st.lists(st.sampled_from("abc*"), min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)
INTERESTS = st.lists(PATTERNS, min_size=1, max_size=3, unique=True).map(lambda patterns: make_interest(*patterns))


def assert_empty(hub: Hub) -> None:
    assert list(hub) == []
    assert (hub._groups, hub._exact, hub._tree) == ({}, {}, {})


@given(
    interests=st.lists(st.tuples(INTERESTS, st.booleans()), max_size=12),
    paths=st.lists(PATHS, min_size=1, max_size=10),
)
def test_match_finds_what_a_search_through_all_does(
    interests: list[tuple[hub_module.Interest, bool]], paths: list[str]
) -> None:
    hub = Hub()
    joined: list[Group] = []
    for interest, leaves in interests:
        group = hub.join(interest)
        if leaves:
            hub.leave(group)
        else:
            joined.append(group)
        for path in paths:
            matched = list(hub.match(path))
            expected = {g for g in joined if any(match_pattern(pattern, path) for pattern in g.interest.patterns)}
            assert len(matched) == len(expected)
            assert set(matched) == expected

    for group in joined:
        hub.leave(group)
    assert_empty(hub)


def test_same_interest_is_one_group() -> None:
    hub = Hub()
    one = hub.join(make_interest("acme.x", types=frozenset({"log"})))

    assert hub.join(make_interest("acme.x", types=frozenset({"log"}))) is one
    assert hub.join(make_interest("acme.x")) is not one
    assert hub.join(make_interest("acme.x", types=frozenset({"log"}), form=Format.NDJSON)) is not one
    assert one.members == 2

    hub.leave(one)
    assert one in list(hub.match("acme.x"))
    hub.leave(one)
    assert one not in list(hub.match("acme.x"))


def test_pattern_that_comes_later_is_found_for_a_path_that_is_known() -> None:
    hub = Hub()
    first = hub.join(make_interest("acme.*"))
    assert list(hub.match("acme.x")) == [first]
    second = hub.join(make_interest("acme.>"))
    third = hub.join(make_interest("*.x", max_rate=1.0))
    assert set(hub.match("acme.x")) == {first, second, third}
    hub.leave(first)
    assert set(hub.match("acme.x")) == {second, third}


def test_memory_of_paths_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_CACHE_LIMIT", 10)
    hub = Hub()
    group = hub.join(make_interest("acme.>"))

    for number in range(100):
        assert list(hub.match(f"acme.{number}")) == [group]
        assert len(hub._cache) <= 10


@pytest.mark.parametrize(
    ("options", "notices", "wants"),
    [
        ({}, True, True),
        ({"types": frozenset({"log"})}, True, True),
        ({"types": frozenset({"progress"})}, False, False),
        ({"types": frozenset({"progress"}), "until_terminal": True}, True, False),
    ],
)
def test_group_notices_and_wants(options: dict[str, object], notices: bool, wants: bool) -> None:
    group = Group(make_interest("acme.x", **options))
    entry = make_entry(1, "acme.x", "log")

    assert group.notices(entry) is notices
    assert group.wants(entry) is wants


def test_only_what_all_get_alike_is_shared() -> None:
    assert make_interest("acme.x", types=frozenset({"log"})).shared
    assert not make_interest("acme.x", max_rate=1.0).shared
    assert not make_interest("acme.x", until_terminal=True).shared
