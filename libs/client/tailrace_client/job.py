"""Jobs, for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState

from tailrace_client import calls
from tailrace_client.core import JobCore, describe_patience
from tailrace_client.items import decode_state
from tailrace_client.session import Observe
from tailrace_client.stream import Stream
from tailrace_client.transport import Transport


class Job(JobCore):
    """A job to look at or watch."""

    def __init__(self, open_stream: Callable[..., Stream], transport: Transport, job: str, user: str | None) -> None:
        super().__init__(job, user)
        self._open_stream = open_stream
        self._transport = transport

    async def state(self) -> JobState:
        """Return its state.

        Raises:
            NotFound: there is no such job, or it was deleted.
            StreamError: see `Client.topic`.
        """
        return await self._transport.call(calls.read_job(self.id, self.user))

    async def watch(self, *, observe: Observe | None = None) -> AsyncGenerator[JobState]:
        """Yield its state now and each time it changes; the last one is terminal. Waits for a job that is yet to come.

        Neither `retrying` nor `worker_lost` is an end: another attempt comes, or the worker may come back.

        Args:
            observe: see `Client.stream`.

        Raises:
            NotFound: the job was deleted.
            StreamError: see `Stream`.
        """
        stream = self._open_stream(self.topic, start="last", until="terminal", observe=observe)
        async with aclosing(aiter(stream)) as items:
            async for item in items:
                state = decode_state(item) if isinstance(item, Event) else await self.state()
                if state is not None:
                    yield state
                    if state.status.terminal:
                        return
        yield await self.state()

    async def finished(self, timeout: float | None = None) -> JobState:
        """Wait for its end, and return the terminal state, whether that is success or not; raises what `watch` does.

        A job that has ended is answered at once, as long as the log keeps it. One that nobody has ever heard of is
        waited for, as it may be yet to come, and so is one whose worker is lost, as that may come back; `state` tells.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: it has not ended by then.
        """
        try:
            async with asyncio.timeout(timeout) as patience:
                return await self._wait()
        except TimeoutError:
            if patience.expired():
                raise TimeoutError(describe_patience(self.topic, timeout)) from None
            raise

    async def _wait(self) -> JobState:
        async with aclosing(self.watch()) as states:
            async for state in states:
                if state.status.terminal:
                    return state
        return await self.state()

    async def cancel(self) -> None:
        """Tell its worker to cancel it, and return when that has heard it. The job ends when its worker sees to it.

        Raises:
            JobEnded: it has ended.
            NoWorker: no worker runs it at the moment.
            NotFound: there is no such job.
            StreamError: see `Client.topic`.
        """
        await self._transport.call(calls.cancel_job(self.id, self.user))

    async def delete(self) -> str:
        """Delete the job with all its events, and return the tombstone's id.

        Raises:
            NotFound: there is no such job.
            StreamError: see `Client.topic`.
        """
        return (await self._transport.call(calls.delete_job(self.id, self.user))).id
