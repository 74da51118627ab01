"""Texts that grow while somebody watches."""

from typing import Any

import pytest
from support.shells import Shell
from tailrace_client import TextStatus
from tailrace_client.testing import Play, ScriptedEdge, closing, drop, event, reset, stream
from tailrace_protocol.errors import InvalidTopic, NotFound

TOPIC = "chats.17"


def token(offset: int, text: str, number: int | None = None) -> Play:
    return event(TOPIC, {"offset": offset, "text": text}, type="token", number=number)


def end(type: str = "complete", **fields: Any) -> Play:
    return event(TOPIC, fields, type=type)


def one_by_one(*parts: Play) -> list[Play]:
    """Have each part come for itself: what comes at once is one step."""
    return [stream(part, drop()) for part in parts]


def test_a_text_is_read_from_its_beginning_to_its_end(shell: Shell) -> None:
    """Each step has all so far; the last one says how it ended. A lost connection in between does not show."""
    script = [
        *one_by_one(event(TOPIC, {"title": "Answer"}, type="start"), token(0, "Grüße")),
        stream(token(5, ", "), closing("drain", 0)),
        *one_by_one(token(7, "Welt"), end(length=11, finish_reason="stop", usage={"out": 3})),
    ]
    with ScriptedEdge(script) as edge:
        texts = shell.ask(edge.url, lambda client: client.text(TOPIC), backoff_base=0.001)

        assert [text.text for text in texts] == ["", "Grüße", "Grüße, ", "Grüße, Welt", "Grüße, Welt"]
        last = texts[-1]
        assert (last.topic, last.status, last.whole, last.title) == (TOPIC, TextStatus.COMPLETE, True, "Answer")
        assert (last.finish_reason, last.usage, last.error) == ("stop", {"out": 3}, None)
        assert [text.status.terminal for text in texts] == [False] * 4 + [True]
        assert edge.requests[0].query == [("topic", TOPIC), ("from", "start")]


def test_a_late_joiner_gets_the_text_so_far_in_one_event(shell: Shell) -> None:
    """What was rolled up begins at 0; what is sent again is replaced."""
    script = one_by_one(
        token(0, "All of it", number=90),
        token(4, "that is", number=91),
        event(TOPIC, 1),
        token(0, "New"),
        end(length=3),
    )
    with ScriptedEdge(script) as edge:
        texts = shell.ask(edge.url, lambda client: client.text(TOPIC), backoff_base=0.001)

        assert [text.text for text in texts] == ["All of it", "All that is", "New", "New"]
        assert all(text.whole for text in texts)


def test_what_the_log_has_not_kept_is_told(shell: Shell) -> None:
    """A text whose beginning is gone says so, until an event has all of it."""
    script = one_by_one(
        token(10, "tail"), end("failed", length=14, text="the whole tail", error={"type": "E", "message": "m"})
    )
    with ScriptedEdge(script) as edge:
        first, last = shell.ask(edge.url, lambda client: client.text(TOPIC), backoff_base=0.001)

        assert (first.text, first.whole) == ("tail", False)
        assert (last.text, last.whole, last.status) == ("the whole tail", True, "failed")
        assert last.error.message == "m"


def test_a_log_that_lost_its_end_begins_the_text_anew(shell: Shell) -> None:
    """After a reset nothing is taken for granted."""
    script = one_by_one(token(0, "abc"), reset(), token(2, "x"), end("cancelled", length=3))
    with ScriptedEdge(script) as edge:
        texts = shell.ask(edge.url, lambda client: client.text(TOPIC), backoff_base=0.001)

        assert [(text.text, text.whole) for text in texts] == [("abc", True), ("x", False), ("x", False)]


def test_foreign_events_are_passed_over(shell: Shell) -> None:
    """What is no part of a text stops nothing."""
    script = one_by_one(
        token(0, "a"), event(TOPIC, "?", type="token"), event(TOPIC, [], type="complete"), end(length=1)
    )
    with ScriptedEdge(script) as edge:
        texts = shell.ask(edge.url, lambda client: client.text(TOPIC), backoff_base=0.001)

        assert [text.text for text in texts] == ["a", "a"]


def test_a_deleted_text(shell: Shell) -> None:
    """A tombstone ends it."""
    with (
        ScriptedEdge([stream(token(0, "a"), event(TOPIC, {}, type="deleted"))]) as edge,
        pytest.raises(NotFound, match="deleted"),
    ):
        shell.ask(edge.url, lambda client: client.text(TOPIC))


def test_a_text_has_one_topic(shell: Shell) -> None:
    """A pattern would mix several."""
    with ScriptedEdge() as edge, pytest.raises(InvalidTopic):
        shell.ask(edge.url, lambda client: client.text("chats.>"))
