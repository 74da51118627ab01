"""Reading ahead of a slow loop: bounds, what is conflated, and that the cursor stays with the loop."""

import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_edge import TIME, format_id
from support.shells import Shell
from tailrace_client import Event, LinkState, ReadAhead
from tailrace_client.ahead import Buffer
from tailrace_client.testing import (
    ScriptedEdge,
    closing,
    drop,
    event,
    event_id,
    finished,
    gap,
    heartbeat,
    problem,
    stream,
    when,
)
from tailrace_protocol.errors import EdgeRefused, InvalidInput
from tailrace_protocol.events import TERMINAL_TYPES


def make_event(number: int, topic: str, type: str = "progress") -> Event:
    return msgspec.convert({"id": format_id(number), "topic": topic, "type": type, "time": TIME, "data": number}, Event)


def test_a_slow_loop_gets_everything_in_order(shell: Shell) -> None:
    """What came meanwhile waits, and the edge is held back once there is no room."""
    parts = [event("a.b", number) for number in range(300)]
    with ScriptedEdge([stream(*parts, finished())]) as edge:
        watched = shell.watch(edge.url, read_ahead=10)

        assert watched.data == list(range(300))
        assert watched.cursor == event_id(300)
        assert watched.states == [LinkState.LIVE, LinkState.ENDED]


def test_the_newest_wins_while_the_loop_is_behind(shell: Shell) -> None:
    """Of the types named, one event of each topic waits; others, terminal ones and gaps come, each in its place."""
    parts = [
        event("a", "held"),
        event("a", 2, type="progress"),
        event("b", 3, type="progress"),
        event("a", 4, type="warning"),
        event("a", 5, type="progress"),
        event("a", 6, type="warning"),
        gap(7, 8),
        event("b", 9, type="complete"),
        event("a", 10, type="progress"),
        event("a", 11, type="complete"),
    ]
    with ScriptedEdge([stream(*parts, finished())]) as edge:
        watched = shell.watch(edge.url, slow=True, read_ahead=100, conflate={"progress"})

    assert [getattr(item, "data", "gap") for item in watched.items] == ["held", 3, 4, 6, "gap", 9, 10, 11]


def test_nothing_is_conflated_unless_it_is_asked_for(shell: Shell) -> None:
    """Reading ahead alone loses nothing."""
    parts = [event("a", number, type="progress") for number in range(1, 50)]
    with ScriptedEdge([stream(*parts, finished())]) as edge:
        assert shell.watch(edge.url, slow=True, read_ahead=100).data == list(range(1, 50))


def test_the_link_is_watched_while_the_loop_is_slow(shell: Shell) -> None:
    """A connection that is lost meanwhile is made anew, and no event is lost or doubled over it."""
    script = [
        stream(event("a", 1), event("a", 2), drop()),
        problem(503),
        stream(event("a", 3), closing("drain", 0)),
        stream(event("a", 4), finished()),
    ]
    with ScriptedEdge(script) as edge:
        watched = shell.watch(edge.url, slow=True, read_ahead=100)

    assert watched.data == [1, 2, 3, 4]


def test_leaving_the_loop_forgets_what_was_read_ahead(shell: Shell) -> None:
    """The cursor is the loop's, not the reader's: the next loop over the stream, or another one, gets the rest."""
    one, two, three = (event("a", number, number=number) for number in (1, 2, 3))
    with ScriptedEdge(
        [stream(one, two, three, finished()), stream(two, three, finished()), stream(three, finished())]
    ) as edge:
        taken: list[Any] = []

        async def use_async(client: Any) -> None:
            stream = client.stream("a", read_ahead=10)
            for _ in range(2):
                async for item in stream:
                    taken.append((item.data, stream.cursor))
                    break
            assert [item.data async for item in stream] == [3]

        def use(client: Any) -> Any:
            if shell.name == "async":
                return use_async(client)
            stream = client.stream("a", read_ahead=10)
            for _ in range(2):
                for item in stream:
                    taken.append((item.data, stream.cursor))
                    break
            assert [item.data for item in stream] == [3]
            return None

        shell.ask(edge.url, use)

        assert taken == [(1, event_id(1)), (2, event_id(2))]
        assert [request.last_event_id for request in edge.requests] == [None, event_id(1), event_id(2)]


def test_what_is_saved_is_what_was_processed(shell: Shell) -> None:
    """A crash loses nothing of what only waited."""
    saves: list[str] = []

    def load(_: str) -> str | None:
        return saves[-1] if saves else None

    def save(_: str, cursor: str) -> None:
        saves.append(cursor)

    parts = [event("a", number) for number in range(1, 10)]
    with ScriptedEdge([stream(*parts, finished()), stream(finished())]) as edge:
        shell.watch(edge.url, read_ahead=100, cursor=(load, save), count=4)
        shell.watch(edge.url, read_ahead=100, cursor=(load, save))

        assert edge.requests[1].last_event_id == event_id(3)


def test_errors_come_after_what_was_read(shell: Shell) -> None:
    """The loop gets all that came before the stream broke for good."""
    with ScriptedEdge([stream(event("a", 1), event("a", 2), drop()), problem(403)]) as edge:
        watched = shell.watch(edge.url, slow=True, read_ahead=10)

        assert watched.data == [1, 2]
        assert isinstance(watched.error, EdgeRefused)


def test_a_loop_that_waits_is_left_at_once(shell: Shell) -> None:
    """Leaving closes the connection on which the reader waits."""
    gate = threading.Event()
    with ScriptedEdge([stream(event("a", 1), when(gate))]) as edge:
        watched = shell.watch(edge.url, read_ahead=10, count=1)
        gate.set()
        edge.wait_left(1)

        assert watched.data == [1]


def test_idle_streams_move_the_cursor(shell: Shell) -> None:
    """With nothing waiting, the cursor is the stream's own."""
    with ScriptedEdge([stream(event("a", 1), event("b", 2), heartbeat(), finished())]) as edge:
        watched = shell.watch(edge.url, read_ahead=1)

        assert watched.cursor == event_id(2)


@pytest.mark.parametrize(
    "options",
    [
        {"read_ahead": 0},
        {"read_ahead": ReadAhead(size=0)},
        {"conflate": {"progress"}},
        {"read_ahead": 5, "conflate": {"complete"}},
        {"read_ahead": 5, "conflate": {"deleted"}},
        {"read_ahead": 5, "conflate": {"Not A Type"}},
        {"read_ahead": 5, "conflate": "progress"},
    ],
)
def test_wrong_wishes_are_refused(shell: Shell, options: dict[str, Any]) -> None:
    """At once, with what is wrong."""
    with ScriptedEdge() as edge, pytest.raises(InvalidInput):
        shell.watch(edge.url, **options)


def test_the_size_is_a_bound_too() -> None:
    """Large items fill a buffer before their number does; one that takes another's place needs no room."""
    buffer = Buffer(ReadAhead(items=10, size=100), {"progress"}, None)
    buffer.put(make_event(1, "a"), format_id(1), 60)
    assert buffer.takes(make_event(2, "b"))
    buffer.put(make_event(2, "b"), format_id(2), 60)

    assert not buffer.takes(make_event(3, "c"))
    assert not buffer.takes(make_event(3, "a", "warning"))
    assert buffer.takes(make_event(3, "a"))
    buffer.put(make_event(3, "a"), format_id(3), 10)
    assert len(buffer) == 2
    assert buffer.conflated == 1
    assert buffer.takes(make_event(4, "c"))


TYPES = ["progress", "log", "message", *sorted(TERMINAL_TYPES)]


@given(
    moves=st.lists(st.one_of(st.just("take"), st.tuples(st.sampled_from("abc"), st.sampled_from(TYPES)))),
    items=st.integers(1, 5),
)
def test_any_pace(moves: list[Any], items: int) -> None:
    """Whatever comes and goes: order holds, and what is missing was overtaken by a newer one of its topic and type."""
    buffer = Buffer(ReadAhead(items=items), {"progress", "log"}, None)
    put: list[Event] = []
    taken: list[Event] = []

    def take() -> None:
        item = buffer.take()
        if item is None:
            assert buffer.cursor == (put[-1].id if put else None)
            return
        assert isinstance(item, Event)
        assert buffer.cursor == item.id
        taken.append(item)

    for move in moves:
        if move == "take":
            take()
            continue
        new = make_event(len(put) + 1, *move)
        while not buffer.takes(new):
            take()
        buffer.put(new, new.id, 1)
        put.append(new)
        assert len(buffer) <= items
    while buffer:
        take()

    assert [item.data for item in taken] == sorted(item.data for item in taken)
    missing = [item for item in put if item not in taken]
    assert len(missing) == buffer.conflated
    for item in missing:
        assert item.type in ("progress", "log")
        assert any((new.topic, new.type) == (item.topic, item.type) for new in put[item.data :])
