"""Jobs, for code without an event loop."""

from collections.abc import Callable, Generator
from contextlib import closing

from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState

from tailrace_client import calls
from tailrace_client.core import JobCore
from tailrace_client.items import decode_state
from tailrace_client.session import Observe
from tailrace_client.sync_stream import SyncStream
from tailrace_client.sync_transport import SyncTransport


class SyncJob(JobCore):
    """A job to look at or watch."""

    def __init__(
        self, open_stream: Callable[..., SyncStream], transport: SyncTransport, job: str, user: str | None
    ) -> None:
        super().__init__(job, user)
        self._open_stream = open_stream
        self._transport = transport

    def state(self) -> JobState:
        """Return its state, as `Job.state`."""
        return self._transport.call(calls.read_job(self.id, self.user))

    def watch(self, *, observe: Observe | None = None) -> Generator[JobState]:
        """Yield its state now and each time it changes, as `Job.watch`."""
        stream = self._open_stream(self.topic, start="last", until="terminal", observe=observe)
        with closing(iter(stream)) as items:
            for item in items:
                state = decode_state(item) if isinstance(item, Event) else self.state()
                if state is not None:
                    yield state
                    if state.status.terminal:
                        return
        yield self.state()

    def finished(self) -> JobState:
        """Wait for its end, and return the terminal state, as `Job.finished`."""
        with closing(self.watch()) as states:
            for state in states:
                if state.status.terminal:
                    return state
        return self.state()

    def cancel(self) -> None:
        """Tell its worker to cancel it, as `Job.cancel`."""
        self._transport.call(calls.cancel_job(self.id, self.user))

    def delete(self) -> str:
        """Delete the job with all its events, as `Job.delete`."""
        return self._transport.call(calls.delete_job(self.id, self.user)).id
