"""Handlers: functions to be called with events, by type and by task. No I/O: a shell calls what matches."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from tailrace_protocol.control import Gap, Reset
from tailrace_protocol.errors import InvalidInput, InvalidTopic
from tailrace_protocol.events import Event, check_type
from tailrace_protocol.topics import unquote_token

from tailrace_client.items import Item

ANY = "*"
"""Instead of a type: every event."""

LOSS = "loss"
"""Instead of a type: `Gap` and `Reset`, which no event stands for."""

Handler = Callable[[Any], Any]
"""Takes the event. For the async client it may be a coroutine function, which is awaited."""

H = TypeVar("H", bound=Handler)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Registered:
    type: str
    task_id: str | None
    handler: Handler

    def matches(self, item: Item) -> bool:
        if not isinstance(item, Event):
            return self.type == LOSS
        return self.type in (ANY, item.type) and (self.task_id is None or self.task_id == find_task_id(item))


class Handlers:
    """Who wants to be called with what, in the order in which they said so."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._registered: list[_Registered] = []

    def add(self, event_type: str, handler: Handler, task_id: str | None) -> None:
        """Have a handler called from now on.

        Raises:
            InvalidInput: `event_type` cannot be one, or losses are wanted of one task, while they concern all.
        """
        if event_type == LOSS and task_id is not None:
            raise InvalidInput("a loss concerns everything that is watched; task_id= cannot narrow it")
        if event_type not in (ANY, LOSS):
            check_type(event_type)
        self._registered.append(_Registered(event_type, task_id, handler))

    def remove(self, handler: Handler) -> None:
        """Have a handler called no more, wherever it was added."""
        self._registered = [one for one in self._registered if one.handler != handler]

    def find(self, item: Item) -> list[Handler]:
        """Return who is to be called, in order. That events were lost is logged if nobody wants to hear it."""
        found = [one.handler for one in self._registered if one.matches(item)]
        if not found and isinstance(item, Gap | Reset):
            logger.warning("events were lost, and no handler of %r is there to hear of it: %s", LOSS, item)
        return found


@contextmanager
def blame(handler: Handler, item: Item) -> Iterator[None]:
    """Have an error of a handler say whose it is, and what it was called with."""
    try:
        yield
    except Exception as error:
        what = f"{item.type!r} {item.id} on {item.topic!r}" if isinstance(item, Event) else str(item)
        error.add_note(f"in the handler {getattr(handler, '__qualname__', handler)!s}, called with {what}")
        raise


def find_task_id(event: Event) -> str | None:
    """Return the id of the task that an event is about; None if it is about none.

    It is what the event's data says in `task_id`, as where many tasks share a topic; else the id of the job whose
    topic it is, `jobs.<id>` or `users.<user>.jobs.<id>`, or one below that.
    """
    if isinstance(event.data, dict) and event.data.get("task_id") is not None:
        return str(event.data["task_id"])
    tokens = event.topic.split(".")
    start = 2 if tokens[0] == "users" else 0
    if len(tokens) < start + 2 or tokens[start] != "jobs":
        return None
    try:
        return unquote_token(tokens[start + 1])
    except InvalidTopic:
        return tokens[start + 1]
