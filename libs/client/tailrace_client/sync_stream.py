"""Streams, for code without an event loop."""

import threading
from collections.abc import Callable, Generator, Iterable

from tailrace_client.ahead import Buffer
from tailrace_client.core import Plan, StreamCore
from tailrace_client.items import Item
from tailrace_client.session import Session
from tailrace_client.sync_transport import SyncReader, SyncTransport, require_plain


class SyncStream(StreamCore):
    """What happens on some topics, to be read with `for`; see `Stream`.

    Each `for` opens a connection, and closes it when it is left: at once, unless an exception's traceback keeps the
    loop alive. `with closing(iter(stream)) as items` closes it in any case.
    """

    def __init__(self, transport: SyncTransport, plan: Plan) -> None:
        super().__init__(plan)
        self._transport = transport
        self._source: SyncReader | _ReadingAhead | None = None

    def commit(self) -> None:
        """Count the item in hand as processed, and save that now, as `Stream.commit`."""
        self._find_bookmark().reach(self.cursor)
        self._save()

    def __iter__(self) -> Generator[Item]:
        self._load()
        if self._source is not None:
            self._close(self._source)  # of a loop that was left, and that something keeps alive
        source = self._source = self._open()
        try:
            while (items := source.step()) is not None:
                for item in items:
                    yield item
                    if self._is_due():
                        self._save()
                if self._is_due():
                    self._save()
        finally:
            try:
                self._close(source)
            finally:
                self._save()

    def _open(self) -> "SyncReader | _ReadingAhead":
        limits = self._plan.read_ahead
        if limits is None:
            return SyncReader(self._transport, self._session)
        return _ReadingAhead(self._transport, self._session, self._begin_buffer(limits), lambda: self._patience)

    def _close(self, source: "SyncReader | _ReadingAhead") -> None:
        if self._source is source:
            self._source = None
            try:
                source.close()
            finally:
                self._end_buffer()

    def _load(self) -> None:
        bookmark = self._bookmark
        if bookmark is not None and not bookmark.restored:
            cursor = require_plain(bookmark.store.load(bookmark.key), "the cursor's load")
            self._restore(bookmark, cursor if isinstance(cursor, str) else None)

    def _save(self) -> None:
        bookmark = self._bookmark
        if bookmark is not None and (cursor := bookmark.pending) is not None:
            require_plain(bookmark.store.save(bookmark.key, cursor), "the cursor's save")
            bookmark.mark_saved(cursor)


class _ReadingAhead:
    """Reads a stream in a thread, as far ahead of its loop as a buffer has room."""

    def __init__(
        self, transport: SyncTransport, session: Session, buffer: Buffer, find_patience: Callable[[], float | None]
    ) -> None:
        self._session = session
        self._find_patience = find_patience
        self._thread: threading.Thread | None = None
        self._left = threading.Event()
        self._reader = SyncReader(transport, session, self._left.wait)

        # Shared with the thread, and changed under this condition
        self._changed = threading.Condition()
        self._buffer = buffer
        self._ended = False
        self._error: BaseException | None = None

    def step(self) -> Iterable[Item] | None:
        """Return the next item, or none after a while; None at the end."""
        if self._thread is None:
            # A daemon: a loop that nobody closes must not keep the process from ending.
            self._thread = threading.Thread(target=self._run, name="tailrace read-ahead", daemon=True)
            self._thread.start()
        with self._changed:
            item = self._buffer.take()
            self._changed.notify_all()
            if item is not None:
                return (item,)
            if not self._ended:
                self._changed.wait(self._find_patience())
                return ()
        if self._error is not None:
            raise self._error
        return None

    def close(self) -> None:
        """Stop reading, and close the connection: at once, or when an attempt to connect has come to its end."""
        self._left.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._reader.abort()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._fill()
        except BaseException as error:
            self._error = error
        finally:
            self._reader.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _fill(self) -> None:
        # Whether the loop was left is asked before each step: what is open by then, `close` has cut off.
        while not self._left.is_set() and (items := self._reader.step()) is not None:
            for item in items:
                with self._changed:
                    while not self._buffer.takes(item):
                        if self._left.is_set():
                            return
                        self._changed.wait()
                    self._buffer.put(item, self._session.cursor, self._session.size)
                    self._changed.notify_all()
            with self._changed:
                self._buffer.reach(self._session.cursor)
                self._changed.notify_all()
