"""Texts that grow while somebody watches: what a language model writes, token by token.

A text has a topic of its own. It begins with an event of type `start`, grows by `token` events, and ends with
`complete`, `failed` or `cancelled`, each of which carries the whole text where that fits into an event. From time to
time a `token` event with offset 0 carries the text so far and takes the place of all events before it (a roll-up), so
that who comes late reads few events. An end with the whole text does so too.
"""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from tailrace_protocol.errors import MalformedStream
from tailrace_protocol.events import DELETED, TERMINAL_TYPES
from tailrace_protocol.jobs import JobError

START = "start"
TOKEN = "token"


class TextStatus(StrEnum):
    """What a text is doing. The last three are also the types of the events that end it."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the text has ended."""
        return self is not TextStatus.RUNNING


class TextStart(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of the `start` event.

    Attributes:
        title: what people call the text.
        metadata: the caller's own.
    """

    title: str | None = None
    metadata: dict[str, Any] = {}


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of a `token` event.

    Attributes:
        offset: where `text` begins, in Unicode code points from the beginning of the whole text. What a reader has
            beyond it is replaced; 0 replaces everything.
        text: to be put there.
        start: what the `start` event said, where this event takes its place.
    """

    offset: int
    text: str
    start: TextStart | None = None


class TextEnd(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of the event that ends a text.

    Attributes:
        length: of the whole text, in Unicode code points.
        text: the whole text; None if it is too long for one event, and then the `token` events have it.
        finish_reason: why the model stopped, in its own words: `stop`, `length`, ...
        usage: what the model counted, in its own words.
        error: why the text failed.
        start: what the `start` event said.
    """

    length: int
    text: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: JobError | None = None
    start: TextStart | None = None


D = TypeVar("D")


class TextState:
    """A text as far as the events tell that were taken, in the order of the log. An event taken twice does no harm."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._reset()

    def __repr__(self) -> str:
        return f"TextState(status={self.status.value!r}, text={self.text!r})"

    def take(self, event_type: str, data: Any) -> bool:
        """Take the next event of the text's topic, and return whether it said anything about the text.

        Args:
            event_type: of the event. Types that texts do not have are passed over.
            data: of the event, decoded.

        Raises:
            MalformedStream: the data is not that of such an event. The state is as it was.
        """
        if event_type == TOKEN:
            self._put(_convert(data, Token))
        elif event_type == START:
            start = _convert(data, TextStart)
            self._reset()
            self._start = start
        elif event_type in TERMINAL_TYPES:
            self._finish(TextStatus(event_type), _convert(data, TextEnd))
        elif event_type == DELETED:
            self._reset()
        else:
            return False
        return True

    @property
    def text(self) -> str:
        """The text so far; without its beginning if that was missed, see `complete_from_start`."""
        if len(self._parts) > 1:
            self._parts = ["".join(self._parts)]
        return self._parts[0] if self._parts else ""

    @property
    def complete_from_start(self) -> bool:
        """Whether `text` has all from the beginning on, and not only what came since a part was missed."""
        return self._begin == 0

    @property
    def status(self) -> TextStatus:
        """What the text is doing."""
        return self._status

    @property
    def title(self) -> str | None:
        """What people call it."""
        return self._start.title

    @property
    def metadata(self) -> dict[str, Any]:
        """The caller's own."""
        return self._start.metadata

    @property
    def finish_reason(self) -> str | None:
        """Why the model stopped, once it has."""
        return self._end.finish_reason

    @property
    def usage(self) -> dict[str, Any] | None:
        """What the model counted, at the end."""
        return self._end.usage

    @property
    def error(self) -> JobError | None:
        """Why the text failed, if it did."""
        return self._end.error

    def _reset(self) -> None:
        self._start = TextStart()
        self._end = TextEnd(0)
        self._status = TextStatus.RUNNING
        self._set("", 0)

    def _set(self, text: str, begin: int) -> None:
        self._parts = [text]
        self._begin = begin  # offset of the first part
        self._length = begin + len(text)  # offset at which the last part ends

    def _put(self, token: Token) -> None:
        self._status, self._end = TextStatus.RUNNING, TextEnd(0)
        self._start = token.start or self._start
        if token.offset == self._length:
            self._parts.append(token.text)
            self._length += len(token.text)
        elif self._begin <= token.offset < self._length:
            self._set(self.text[: token.offset - self._begin] + token.text, self._begin)
        else:  # something is missing before it
            self._set(token.text, token.offset)

    def _finish(self, status: TextStatus, end: TextEnd) -> None:
        self._status, self._end = status, end
        self._start = end.start or self._start
        if end.text is not None:
            self._set(end.text, 0)
        elif end.length < self._length:
            self._set(self.text[: max(0, end.length - self._begin)], min(self._begin, end.length))
        elif end.length > self._length:
            self._set("", end.length)


def _convert(data: Any, kind: type[D]) -> D:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise MalformedStream(f"an event of a text has data that is none of it: {error}") from error
