"""Texts: whatever way a text was cut into events, who reads them from a place that has it whole gets it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_protocol.errors import MalformedStream
from tailrace_protocol.texts import TextEnd, TextStart, TextState, TextStatus, Token

Events = list[tuple[str, Any]]


def fold(events: Events) -> TextState:
    state = TextState()
    for event_type, data in events:
        assert state.take(event_type, msgspec.to_builtins(data))
    return state


def cut(pieces: list[str]) -> Events:
    events: Events = []
    offset = 0
    for piece in pieces:
        events.append(("token", Token(offset, piece)))
        offset += len(piece)
    return events


@given(st.lists(st.text()), st.data())
def test_text_is_what_was_written_from_the_start_or_from_any_rollup_on(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    at = data.draw(st.integers(0, len(pieces)))
    so_far = "".join(pieces[:at])
    rollup = ("token", Token(0, so_far, TextStart("T")))
    events = [*cut(pieces)[:at], rollup, *cut(pieces)[at:]]

    assert fold([("start", TextStart("T")), *events]).text == fold(events[at:]).text == text
    assert fold(events[at:]).title == "T"
    assert fold(events).complete_from_start


@given(st.lists(st.text(min_size=1), min_size=1), st.data())
def test_events_that_come_again_change_nothing(pieces: list[str], data: st.DataObject) -> None:
    events = cut(pieces)
    first = data.draw(st.integers(0, len(pieces)))
    again = data.draw(st.integers(first, len(pieces)))

    assert fold([*events[:again], *events[first:]]).text == "".join(pieces)


def test_offset_in_the_middle_replaces_what_lies_beyond() -> None:
    assert fold([("token", Token(0, "a😀cd")), ("token", Token(2, "x"))]).text == "a😀x"


def test_what_comes_after_a_hole_is_no_whole_text_until_one_comes() -> None:
    state = fold([("token", Token(0, "abc")), ("token", Token(10, "kl")), ("token", Token(12, "m"))])
    assert (state.text, state.complete_from_start) == ("klm", False)

    state.take("token", {"offset": 11, "text": "L"})
    assert (state.text, state.complete_from_start) == ("kL", False)
    state.take("token", {"offset": 5, "text": "f"})
    assert (state.text, state.complete_from_start) == ("f", False)

    state.take("complete", {"length": 3, "text": "abc"})
    assert (state.text, state.complete_from_start) == ("abc", True)


def test_end_without_text_tells_whether_all_came() -> None:
    whole = [("token", Token(0, "abc"))]

    assert fold([*whole, ("complete", TextEnd(3))]).complete_from_start
    assert fold([*whole, ("complete", TextEnd(2))]).text == "ab"
    missed = fold([*whole, ("complete", TextEnd(4))])
    assert (missed.text, missed.complete_from_start) == ("", False)


def test_end_says_how_it_went() -> None:
    state = fold([("start", TextStart("T", {"model": "m"})), ("token", Token(0, "ab"))])
    assert (state.status, state.finish_reason, state.usage) == (TextStatus.RUNNING, None, None)
    assert (state.title, state.metadata) == ("T", {"model": "m"})

    state.take("failed", {"length": 2, "usage": {"out": 2}, "error": {"type": "E", "message": "no"}})
    assert state.status is TextStatus.FAILED
    assert state.status.terminal
    assert state.usage == {"out": 2}
    assert state.error is not None
    assert state.error.message == "no"
    assert state.text == "ab"


def test_start_and_deletion_begin_anew() -> None:
    old: Events = [("token", Token(0, "old")), ("complete", TextEnd(3, finish_reason="stop"))]

    for event in [("start", TextStart()), ("deleted", None)]:
        state = fold([*old, event])
        assert (state.text, state.status, state.finish_reason) == ("", TextStatus.RUNNING, None)


def test_other_events_say_nothing() -> None:
    state = fold([("token", Token(0, "a"))])

    assert not state.take("log", {"offset": 0, "text": "b"})
    assert state.text == "a"


@pytest.mark.parametrize(("event_type", "data"), [("token", "a"), ("token", {"text": "a"}), ("complete", None)])
def test_data_of_something_else_is_refused(event_type: str, data: Any) -> None:
    state = fold([("token", Token(0, "a"))])

    with pytest.raises(MalformedStream):
        state.take(event_type, data)
    assert state.text == "a"


def test_a_state_says_what_it_has() -> None:
    state = TextState()
    state.take("token", {"offset": 0, "text": "so far"})
    assert repr(state) == "TextState(status='running', text='so far')"
