"""Token streams whose events are lost, doubled and refused in any order: readers get the text all the same."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_producer import Settings, TextStream, text_stream
from tailrace_producer.pacer import Paced, Pacer
from tailrace_producer.publisher import Publisher
from tailrace_protocol.errors import BrokerUnavailable, OutboxFull
from tailrace_protocol.events import encode_stored
from tailrace_protocol.positions import parse_position
from tailrace_protocol.texts import TextStart, TextState, TextStatus


def fold(events: Iterable[tuple[int, str, Any]]) -> TextState:
    state = TextState()
    for _, event_type, data in events:
        state.take(event_type, data)
    return state


class Broken(Publisher):
    """Publishes into a list, and fails as it is told to."""

    def __init__(self, outcomes: Iterator[str]) -> None:
        super().__init__("nats://nowhere", "default", Settings())
        self.events: list[tuple[int, str, Any]] = []
        self.rollups: list[int] = []
        self.settles: list[Callable[[], object]] = []
        self._outcomes = outcomes

    def submit(self, topic: str, data: Any, event_type: str, *, settle: Any, **_: Any) -> int:
        stored = msgspec.json.decode(encode_stored(event_type, data))
        outcome = next(self._outcomes, "stored")
        if outcome == "full":
            raise OutboxFull("full")
        if outcome != "lost":
            self.events.append((len(self.events) + 1, event_type, stored["data"]))
        known = f"0123abcd-{len(self.events)}" if outcome == "stored" else BrokerUnavailable(outcome)
        self.settles.append(partial(settle, known))
        return 1

    def roll_up(self, _topic: str, event_id: str) -> None:
        self.rollups.append(parse_position(event_id).sequence)


class Eager(Pacer):
    """Notes who asked, and sends when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Paced] = []

    def ask(self, job: Paced) -> None:
        self.asked.append(job)

    consider = ask


@given(
    st.lists(st.text(max_size=20)),
    st.lists(st.sampled_from(["stored", "unknown", "lost", "full"]), max_size=30),
    st.data(),
)
def test_whatever_is_lost_or_doubled_readers_get_the_text(
    tokens: list[str], outcomes: list[str], data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_stream, "ROLLUP_EVENTS", 2)
        publisher = write_with_faults(tokens, iter(outcomes), data)

    whole = TextState()
    for _, event_type, content in publisher.events:
        whole.take(event_type, content)
        assert "".join(tokens).startswith(whole.text)
    for first in [0, *publisher.rollups]:
        state = fold(event for event in publisher.events if event[0] >= first)
        assert (state.text, state.status, state.complete_from_start) == ("".join(tokens), TextStatus.COMPLETE, True)


def write_with_faults(tokens: list[str], outcomes: Iterator[str], data: st.DataObject) -> "Broken":
    publisher, pacer = Broken(outcomes), Eager()
    out = TextStream(publisher, pacer, "t", TextStart(), Settings(), set())
    out._whole = data.draw(st.booleans())  # else it is as if the text were too long for one event
    out.start()
    writes = iter([*tokens, None])
    ended = False
    while not out._said_end:
        step = data.draw(st.sampled_from(["write", "send", "settle"])) if not ended else "settle"
        if step == "write":
            token = next(writes)
            if token is None:
                out.complete()
                ended = True
            else:
                out.write(token)
        if step == "settle" and publisher.settles:
            publisher.settles.pop()()
        elif step in {"send", "settle"} and pacer.asked:
            pacer.asked.pop().send()

    return publisher
