"""Cursors that outlive a process: where they are kept, and when they are saved."""

import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Protocol, cast, runtime_checkable

import msgspec
from tailrace_protocol.errors import InvalidInput, InvalidPosition, TailraceError
from tailrace_protocol.positions import parse_position

SAVE_EVERY = 1.0
"""Seconds between two saves, at least; the one at the end of a loop comes at any time."""

MAX_KEYS = 1000
"""In one file. Beyond that, those that were not saved for longest go."""


@runtime_checkable
class CursorStore(Protocol):
    """Keeps cursors. For the async client both methods may be coroutines."""

    def load(self, key: str, /) -> str | Awaitable[str | None] | None:
        """Return what was saved last under this key, None if nothing was."""

    def save(self, key: str, cursor: str, /) -> object:
        """Keep the cursor under this key, in place of the last one. Only then return."""


Load = Callable[[str], str | Awaitable[str | None] | None]
Save = Callable[[str, str], object]

Cursor = str | os.PathLike[str] | CursorStore | tuple[Load, Save]
"""Where a stream's cursor is kept: a file, a store, or two functions that load and save as one does."""


class CursorUnreadable(TailraceError):
    """What a store holds is no cursor. To begin anew would lose events silently."""


class CursorFile:
    """A file of JSON that holds the cursors of one process's streams, each under its key.

    Each save writes a new file beside it, forces that to the disk, and puts it in the old one's place: whatever
    happens, the file is the old one or the new one. Two processes must not share one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file. It need not exist; its folder has to.

        Raises:
            InvalidInput: there is no such folder, or the path is one.
        """
        self._path = Path(path)
        if self._path.is_dir():
            raise InvalidInput(f"cursor={str(path)!r} is a folder; name a file in it")
        if not self._path.parent.is_dir():
            raise InvalidInput(f"cursor={str(path)!r} lies in a folder that does not exist; make it first")

    def load(self, key: str) -> str | None:
        """Return what was saved last under this key, None if nothing was.

        Raises:
            CursorUnreadable: the file holds something else than cursors.
            OSError: it cannot be read.
        """
        return self._read().get(key)

    def save(self, key: str, cursor: str) -> None:
        """Keep the cursor under this key.

        Raises:
            CursorUnreadable: the file holds something else than cursors.
            OSError: it cannot be written.
        """
        with _files_lock:
            cursors = self._read()
            cursors.pop(key, None)
            cursors[key] = cursor
            self._replace(msgspec.json.encode(dict(list(cursors.items())[-MAX_KEYS:])))

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CursorUnreadable(f"{self._path} is no file of cursors, delete it to begin anew: {error}") from error

    def _replace(self, content: bytes) -> None:
        with NamedTemporaryFile(dir=self._path.parent, prefix=f".{self._path.name}.", delete=False) as file:
            new = Path(file.name)
            try:
                file.write(msgspec.json.format(content, indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                new.unlink()
                raise
        new.replace(self._path)


_files_lock = threading.Lock()
"""Streams of one process may share a file, over several `CursorFile`."""


class _Functions:
    def __init__(self, load: Load, save: Save) -> None:
        self.load = load
        self.save = save


class Bookmark:
    """How far a stream's items were processed, and when to save that. No I/O: a shell calls the store.

    Attributes:
        store: where it is kept.
        key: what it is kept under.
        pending: what to save; None if nothing came since the last time.
        restored: whether the store was asked already.
    """

    def __init__(self, cursor: Cursor, key: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing to save.

        Args:
            cursor: where it is kept.
            key: what it is kept under.
            clock: monotonic seconds.

        Raises:
            InvalidInput: `cursor` is none of those, or a file in a folder that is missing.
        """
        self.store = _open_store(cursor)
        self.key = key
        self.pending: str | None = None
        self.restored = False
        self._saved: str | None = None
        self._saved_at = clock() - SAVE_EVERY
        self._clock = clock

    @property
    def due_in(self) -> float | None:
        """Seconds until there is something to save, 0 or less if there is now; None if nothing is pending."""
        return None if self.pending is None else self._saved_at + SAVE_EVERY - self._clock()

    def restore(self, cursor: str | None) -> str | None:
        """Take in what the store had, and return it.

        Raises:
            CursorUnreadable: it is no event id.
        """
        if cursor is not None:
            try:
                parse_position(cursor)
            except InvalidPosition as error:
                raise CursorUnreadable(f"what is stored under {self.key!r} is no event id: {error}") from None
        self._saved = cursor
        self.restored = True
        return cursor

    def reach(self, cursor: str | None) -> None:
        """Learn that everything up to `cursor` was processed."""
        self.pending = None if cursor == self._saved else cursor

    def mark_saved(self, cursor: str) -> None:
        """Learn that `cursor` is kept."""
        self._saved = cursor
        self._saved_at = self._clock()
        if self.pending == cursor:
            self.pending = None


def format_key(tenant: str, patterns: Sequence[str], types: Sequence[str] | None, until: str | None) -> str:
    """Return what a stream's cursor is kept under: it names all that decides which events the stream brings.

    So a stream of other topics or types does not go on where this one stopped, and miss what it did not ask for.
    """
    parts = [tenant, *sorted(set(patterns))]
    if types is not None:
        parts.append(f"types={','.join(sorted(set(types)))}")
    if until is not None:
        parts.append(f"until={until}")
    return " ".join(parts)


def _open_store(cursor: Cursor) -> CursorStore:
    if isinstance(cursor, str | os.PathLike):
        return CursorFile(cursor)
    if isinstance(cursor, CursorStore):
        return cursor
    match cast("Any", cursor):
        case (load, save) if callable(load) and callable(save):
            return _Functions(load, save)
    raise InvalidInput(f"cursor={cursor!r} is no file, no store with load and save, and no pair of functions")
