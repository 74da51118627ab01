"""Token streams: texts that grow while somebody watches, for an event loop and for all else."""

import asyncio
from types import TracebackType
from typing import Any, Self, TypeVar

from tailrace_protocol.texts import TextStart
from tailrace_protocol.topics import check_topic

from tailrace_producer.pacer import Pacer
from tailrace_producer.progress import copy_data, cut
from tailrace_producer.publisher import Publisher
from tailrace_producer.settings import Settings
from tailrace_producer.text_stream import MAX_DETAILS_BYTES, BaseTextStream

_PAUSE = 0.01
"""Seconds between two looks of a flush at texts that cannot get on."""


class TextStream(BaseTextStream):
    """A text of a `Producer`: `async with producer.stream("chats.17") as out`.

    Its methods may be called from worker threads too, and a plain `with` there does the same.
    """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._leave(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class SyncTextStream(BaseTextStream):
    """A text of a `SyncProducer`: `with producer.stream("chats.17") as out`.

    Its methods may be called from any thread.
    """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._leave(error)


S = TypeVar("S", bound=BaseTextStream)


class Texts:
    """All token streams of a producer. Made in any thread, started in the event loop's, used from all."""

    def __init__(self, publisher: Publisher, settings: Settings) -> None:
        self._publisher = publisher
        self._settings = settings
        self._pacer = Pacer(interval=settings.text_interval)
        self._running: set[BaseTextStream] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the thread of `loop` send."""
        self._pacer.start(loop)

    def make(self, kind: type[S], topic: str, title: str | None, metadata: dict[str, Any] | None) -> S:
        """Return a stream that publishes here.

        Raises:
            InvalidInput: the topic is none, or the metadata cannot be carried.
        """
        start = TextStart(
            None if title is None else cut(title), {} if metadata is None else copy_data(metadata, MAX_DETAILS_BYTES)
        )
        return kind(self._publisher, self._pacer, check_topic(topic), start, self._settings, self._running)

    async def flush(self) -> None:
        """Return when all is stored that was written up to now."""
        behind = [(stream, stream.mark()) for stream in list(self._running)]
        while behind := [(stream, mark) for stream, mark in behind if not stream.reached(mark)]:
            for stream, _ in behind:
                stream.send()
            if self._publisher.unsettled:
                await self._publisher.wait_settled()
            else:  # it could not be sent, and will be tried again
                await asyncio.sleep(_PAUSE)

    @property
    def behind(self) -> bool:
        """Whether there is text that was not even handed to the publisher, since what comes before is not stored."""
        return any(stream.held for stream in list(self._running))

    def hand_over(self) -> None:
        """Have the publisher take the ends that wait, where they go to disk."""
        for stream in list(self._running):
            stream.send()

    def close(self) -> None:
        """Send nothing more."""
        self._pacer.close()
