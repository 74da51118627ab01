"""Jobs, for code without an event loop."""

from collections.abc import Callable, Generator
from contextlib import closing

from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState

from tailrace_client import calls
from tailrace_client.core import JobCore, describe_patience
from tailrace_client.deadline import Deadline
from tailrace_client.items import decode_state
from tailrace_client.session import Observe
from tailrace_client.sync_transport import SyncReader, SyncTransport

OpenReader = Callable[[str, Observe | None, Deadline], SyncReader]
"""Opens the stream of a job's topic."""


class SyncJob(JobCore):
    """A job to look at or watch."""

    def __init__(self, open_reader: OpenReader, transport: SyncTransport, job: str, user: str | None) -> None:
        super().__init__(job, user)
        self._open_reader = open_reader
        self._transport = transport

    def state(self) -> JobState:
        """Return its state, as `Job.state`."""
        return self._transport.call(calls.read_job(self.id, self.user))

    def watch(self, *, observe: Observe | None = None) -> Generator[JobState]:
        """Yield its state now and each time it changes, as `Job.watch`."""
        return self._watch(observe, Deadline(None))

    def finished(self, timeout: float | None = None) -> JobState:
        """Wait for its end, and return the terminal state, as `Job.finished`."""
        deadline = Deadline(timeout, describe_patience(self.topic, timeout))
        with closing(self._watch(None, deadline)) as states:
            for state in states:
                if state.status.terminal:
                    return state
        return self.state()

    def _watch(self, observe: Observe | None, deadline: Deadline) -> Generator[JobState]:
        with closing(self._open_reader(self.topic, observe, deadline)) as reader:
            while (items := reader.step()) is not None:
                for item in items:
                    state = decode_state(item) if isinstance(item, Event) else self.state()
                    if state is not None:
                        yield state
                        if state.status.terminal:
                            return
        yield self.state()

    def cancel(self) -> None:
        """Tell its worker to cancel it, as `Job.cancel`."""
        self._transport.call(calls.cancel_job(self.id, self.user))

    def delete(self) -> str:
        """Delete the job with all its events, as `Job.delete`."""
        return self._transport.call(calls.delete_job(self.id, self.user)).id
