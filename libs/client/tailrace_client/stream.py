"""Streams, for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from inspect import isawaitable
from typing import TypeVar, cast

from tailrace_client.ahead import Buffer
from tailrace_client.cancelling import see_through
from tailrace_client.core import Plan, StreamCore
from tailrace_client.cursors import Bookmark, CursorFile
from tailrace_client.items import Item
from tailrace_client.session import Session
from tailrace_client.transport import Reader, Transport

T = TypeVar("T")


class Stream(StreamCore):
    """What happens on some topics, to be read with `async for`: events, and where some are gone, `Gap` and `Reset`.

        async for item in stream:
            match item:
                case Event():
                    show(item)
                case Gap() | Reset():
                    await read_state_anew()

    Loss is never silent: a `Gap` stands exactly where events are missing in the order (they were older than the log
    keeps), a `Reset` where the log itself is another one or lost its end. Both are items, not a hook, so that they
    come in order and a type checker asks what happens to them. Who only wants the newest state can skip them if every
    event carries the whole state, as jobs do (`Client.job`).

    Unless `read_ahead` was asked for, nothing runs in the background and nothing is queued: bytes are read when the
    loop asks for the next item. A slow loop makes the edge wait, up to the point where it closes the stream, which then
    resumes where the loop is.

    Each `async for` opens a connection, and closes it when it is left. A new loop over the same stream carries on
    after the last item that was taken; two loops at once are a mistake. To be sure that the connection is closed
    before the next statement, even if an exception's traceback keeps the loop alive:
    `async with aclosing(aiter(stream)) as items`.

    Reading raises EdgeRefused (NotFound for 404, Unauthorized for 401) where trying again does not mend it,
    MalformedStream for bytes that no edge sends, and what the callables that were passed in raise. All else is tried
    again, without end: `link` and `observe` tell how it goes.
    """

    def __init__(self, transport: Transport, plan: Plan) -> None:
        super().__init__(plan)
        self._transport = transport
        self._source: Reader | _ReadingAhead | None = None

    async def commit(self) -> None:
        """Count the item in hand as processed, and save that now, whatever the time since the last save.

        The next item's turn does the first by itself. This is for whoever is about to leave the loop.

        Raises:
            InvalidInput: the stream was opened without `cursor`.
        """
        self._find_bookmark().reach(self.cursor)
        await self._save()

    async def __aiter__(self) -> AsyncGenerator[Item]:
        await self._load()
        if self._source is not None:
            self._release(self._source)  # of a loop that was left, which the event loop has yet to finalise
        source = self._source = self._open()
        try:
            while (items := await source.step()) is not None:
                for item in items:
                    yield item
                    if self._is_due():
                        await self._save()
                if self._is_due():
                    await self._save()
        finally:
            self._release(source)
            try:
                await source.aclose()
            finally:
                await self._save()

    def _open(self) -> "Reader | _ReadingAhead":
        reader = Reader(self._transport, self._session)
        limits = self._plan.read_ahead
        if limits is None:
            return reader
        return _ReadingAhead(reader, self._session, self._begin_buffer(limits), lambda: self._patience)

    def _release(self, source: "Reader | _ReadingAhead") -> None:
        """Have a source take nothing more from the session, which goes on where the loop is."""
        if self._source is source:
            self._source = None
            source.stop()
            self._end_buffer()

    async def _load(self) -> None:
        bookmark = self._bookmark
        if bookmark is not None and not bookmark.restored:
            self._restore(bookmark, await _call(bookmark, bookmark.store.load, bookmark.key))

    async def _save(self) -> None:
        bookmark = self._bookmark
        if bookmark is not None and (cursor := bookmark.pending) is not None:
            await _call(bookmark, bookmark.store.save, bookmark.key, cursor)
            bookmark.mark_saved(cursor)


class _ReadingAhead:
    """Reads a stream in a task, as far ahead of its loop as a buffer has room."""

    def __init__(
        self, reader: Reader, session: Session, buffer: Buffer, find_patience: Callable[[], float | None]
    ) -> None:
        self._reader = reader
        self._session = session
        self._buffer = buffer
        self._find_patience = find_patience
        self._task: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def step(self) -> Iterable[Item] | None:
        """Return the next item, or none after a while; None at the end."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="tailrace read-ahead")
            self._task.add_done_callback(lambda _: self._filled.set())
        self._filled.clear()
        self._emptied.set()
        item = self._buffer.take()
        if item is not None:
            return (item,)
        if self._task.done():
            self._task.result()
            return None
        await _wait(self._filled, self._find_patience())
        return ()

    def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()

    async def aclose(self) -> None:
        """Wait until the connection is closed; `stop` comes first."""
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.exception()  # the loop was left before it got there

    async def _run(self) -> None:
        try:
            await self._fill()
        finally:
            await self._reader.aclose()

    async def _fill(self) -> None:
        while (items := await self._reader.step()) is not None:
            for item in items:
                while not self._buffer.takes(item):
                    self._emptied.clear()
                    await self._emptied.wait()
                self._buffer.put(item, self._session.cursor, self._session.size)
                self._filled.set()
            self._buffer.reach(self._session.cursor)
            self._filled.set()


async def _wait(event: asyncio.Event, limit: float | None) -> None:
    try:
        async with asyncio.timeout(limit):
            await event.wait()
    except TimeoutError:
        pass


async def _call(bookmark: Bookmark, function: Callable[..., T | Awaitable[T]], *args: str) -> T:
    """Call a store's function: ours for files in a thread, for it waits for the disk, others' as they are."""
    if isinstance(bookmark.store, CursorFile):
        plain = cast("Callable[..., T]", function)
        # To its end, so that an older save never comes after a newer one.
        return await see_through(asyncio.to_thread(plain, *args))
    answer = function(*args)
    return await answer if isawaitable(answer) else answer
