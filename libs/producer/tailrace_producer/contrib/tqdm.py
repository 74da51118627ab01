"""tqdm bars that are watched: `from tailrace_producer.contrib.tqdm import tqdm` in place of `from tqdm import tqdm`.

The bar on the terminal stays what it is. As often as it is drawn (`mininterval`), it reports too:

- the first bar that is open in a job moves the job (`tailrace_producer.current_job`), those within it are steps of it;
- outside of any job, and where a default producer is set (`tailrace_producer.contrib`), the bar is a job of its own;
- without either, and with `disable=True`, it is a tqdm bar and nothing else.

A loop over a bar ends with `JobCancelled` where the job was asked to cancel.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, TypeVar, overload
from uuid import uuid4
from weakref import WeakKeyDictionary, ref

from tailrace_protocol.errors import TailraceError
from tqdm.auto import tqdm as auto_tqdm

from tailrace_producer.contrib.default import get_default_producer
from tailrace_producer.current import current_job
from tailrace_producer.job import Job, SyncJob
from tailrace_producer.log import Logger
from tailrace_producer.steps import BaseStep

T = TypeVar("T")

if TYPE_CHECKING:
    _Bar = auto_tqdm
else:

    class _Bar(auto_tqdm, Generic[T]):
        """tqdm's own knows of type parameters in its stubs only."""


_log = Logger()

_leaders: WeakKeyDictionary[Job | SyncJob, ref["tqdm[Any]"]] = WeakKeyDictionary()
"""The bars that move a job; further ones are steps of it."""

_lock = Lock()


class tqdm(_Bar[T]):  # noqa: N801  # the name is tqdm's
    """A bar that moves a job. Takes what `tqdm.auto.tqdm` takes.

    Args:
        iterable: what the loop is over; None for a bar that is moved by hand.
        args: as tqdm's.
        job: the job or step to move, in place of the current job.
        kwargs: as tqdm's.
    """

    @overload
    def __init__(
        self,
        iterable: Iterable[T] | AsyncIterator[T],
        *args: Any,
        job: Job | SyncJob | BaseStep | None = None,
        **kwargs: Any,
    ) -> None: ...

    @overload
    def __init__(
        self: "tqdm[NoReturn]",
        iterable: None = None,
        *args: Any,
        job: Job | SyncJob | BaseStep | None = None,
        **kwargs: Any,
    ) -> None: ...

    def __init__(
        self, iterable: Any = None, *args: Any, job: Job | SyncJob | BaseStep | None = None, **kwargs: Any
    ) -> None:
        self._moves: Job | SyncJob | BaseStep | None = None
        self._own: SyncJob | None = None
        self._step: BaseStep | None = None
        self._ends_elsewhere = False  # the end of its own job: with the loop, or with the block
        super().__init__(iterable, *args, **kwargs)
        if not self.disable:
            self._begin(job)

    def __iter__(self) -> Iterator[T]:
        items: Iterator[T] = super().__iter__()
        return items if self._own is None or self._ends_elsewhere else self._loop(self._own, items)

    def __enter__(self) -> Self:
        self._ends_elsewhere = True
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        own, self._own = self._own, None
        if own is not None and error is None:
            self._end(own)
        elif own is not None:
            own.__exit__(kind, error, trace)

    def update(self, n: float | None = 1) -> bool | None:
        """Count, as tqdm does.

        Raises:
            JobCancelled: the job was asked to cancel.
        """
        shown = super().update(n)
        if shown and self._moves is not None:
            self._moves.raise_if_cancelled()
        return shown

    def refresh(self, *args: Any, **kwargs: Any) -> Any:
        """Draw the bar anew, and report."""
        shown = super().refresh(*args, **kwargs)
        self._report()
        return shown

    def close(self) -> None:
        """Draw the bar for the last time, and report that."""
        if getattr(self, "disable", True):
            return
        super().close()
        self._report()
        if self._step is not None:
            self._step.__exit__(None, None, None)
        self._moves = self._step = None
        if self._own is not None and not self._ends_elsewhere:
            own, self._own = self._own, None
            self._end(own)

    def _begin(self, job: Job | SyncJob | BaseStep | None) -> None:
        try:
            if isinstance(job, BaseStep):
                self._moves = job
            elif (found := job or current_job() or self._make_job()) is not None:
                self._moves = found if self._lead(found) else self._begin_step(found)
        except TailraceError as error:
            _log.warning("bar is not reported", reason=str(error))
        self._report()

    def _make_job(self) -> SyncJob | None:
        producer = get_default_producer()
        if producer is None:
            return None
        self._own = producer.job(uuid4().hex, title=self._name or Path(sys.argv[0]).name or None)
        return self._own.__enter__()

    def _lead(self, job: Job | SyncJob) -> bool:
        with _lock:
            leader = _leaders.get(job)
            bar = None if leader is None else leader()
            if bar is not None and not bar.disable:  # a closed one is disabled
                return False
            _leaders[job] = ref(self)
            return True

    def _begin_step(self, job: Job | SyncJob) -> BaseStep:
        self._step = job.step(self._name or "loop").__enter__()
        return self._step

    @property
    def _name(self) -> str:
        return (self.desc or "").removesuffix(": ").strip()

    def _report(self) -> None:
        if self._moves is None:
            return
        message = ", ".join(text for text in (self._name, str(self.postfix or "")) if text)
        try:
            self._moves.update(self.n, total=self.total, message=message or None)
        except TailraceError as error:
            self._moves = None
            _log.warning("bar is not reported any more", reason=str(error))

    def _loop(self, own: SyncJob, items: Iterator[T]) -> Iterator[T]:
        """A loop over the bar of a job of its own: its end is the job's."""
        self._ends_elsewhere = True
        try:
            yield from items
        except GeneratorExit:  # the loop was left, by `break` or an exception, which nobody tells
            self._stop(own)
            raise
        except BaseException as error:
            own.__exit__(type(error), error, error.__traceback__)
            raise
        self._end(own)

    def _end(self, own: SyncJob) -> None:
        if self.total is not None and self.n < self.total:
            self._stop(own)
        else:
            own.__exit__(None, None, None)

    def _stop(self, own: SyncJob) -> None:
        counted = f"{self.n}" if self.total is None else f"{self.n} of {self.total}"
        own.update(message=f"stopped at {counted}")
        own.__exit__(GeneratorExit, GeneratorExit(), None)  # a way to leave that counts as cancelled


def trange(*args: int, **kwargs: Any) -> "tqdm[int]":
    """Return `tqdm(range(*args), **kwargs)`."""
    return tqdm(range(*args), **kwargs)
