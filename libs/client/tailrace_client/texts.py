"""Texts that grow while somebody watches: what their events come to. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tailrace_protocol.control import Reset
from tailrace_protocol.errors import MalformedStream, NotFound
from tailrace_protocol.events import DELETED, Event
from tailrace_protocol.jobs import JobError
from tailrace_protocol.texts import TextState, TextStatus

from tailrace_client.items import Item


@dataclass(frozen=True, slots=True)
class Text:
    """A text as far as it has come.

    Attributes:
        topic: where its events are.
        text: so far.
        status: whether it grows still, or how it ended.
        whole: whether `text` begins where the text does. Else the log has not kept what was before.
        title: what people call it.
        metadata: the producer's own.
        finish_reason: why the model stopped, in its own words.
        usage: what the model counted, in its own words.
        error: why it failed.
    """

    topic: str
    text: str
    status: TextStatus
    whole: bool
    title: str | None
    metadata: dict[str, Any]
    finish_reason: str | None
    usage: dict[str, Any] | None
    error: JobError | None


class TextFold:
    """Makes texts of the items of a text's stream."""

    def __init__(self, topic: str) -> None:
        """Begin with nothing.

        Args:
            topic: where its events are.
        """
        self._topic = topic
        self._state = TextState()

    def take(self, items: Iterable[Item]) -> Text | None:
        """Return the text after the next items, or after its end, if that is among them.

        None if they say nothing of it, as foreign writers' events.

        Raises:
            NotFound: the text was deleted.
        """
        said = False
        for item in items:
            said = self._take(item) or said
            if said and self._state.status.terminal:
                break
        return self._read() if said else None

    def _take(self, item: Item) -> bool:
        if isinstance(item, Reset):
            self._state = TextState()
        if not isinstance(item, Event):
            return False
        if item.type == DELETED:
            raise NotFound(404, "Not found", f"the text of the topic {item.topic!r} was deleted")
        try:
            return self._state.take(item.type, item.data)
        except MalformedStream:
            return False

    def _read(self) -> Text:
        state = self._state
        return Text(
            topic=self._topic,
            text=state.text,
            status=state.status,
            whole=state.complete_from_start,
            title=state.title,
            metadata=state.metadata,
            finish_reason=state.finish_reason,
            usage=state.usage,
            error=state.error,
        )
