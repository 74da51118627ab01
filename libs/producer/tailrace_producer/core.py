"""What both producers are made of: a publisher, the jobs' pacer, and an event loop that they live in."""

import asyncio
from functools import partial
from typing import Any, NamedTuple

from tailrace_protocol.errors import BrokerUnavailable, PublishError
from tailrace_protocol.events import MESSAGE

from tailrace_producer.jobs import Jobs
from tailrace_producer.log import Logger
from tailrace_producer.pacer import Pacer
from tailrace_producer.publisher import Outcome, Publisher
from tailrace_producer.settings import Settings
from tailrace_producer.text import Texts

_log = Logger()


class NewEvent(NamedTuple):
    """An event to be published with `publish_many`, where a plain tuple `(topic, data, type)` is as good.

    Attributes:
        topic: of the event.
        data: any JSON; also dataclasses, msgspec structs, pydantic models, datetimes and UUIDs.
        type: `message`, one of the types Tailrace knows, or your own.
        id: your own id for it; a second event of the tenant with it, within two minutes, is not stored.
    """

    topic: str
    data: Any = None
    type: str = MESSAGE
    id: str | None = None


AnyEvent = NewEvent | tuple[str, Any] | tuple[str, Any, str]


class Core:
    """Publisher and pacer. Made in any thread, started in the event loop's, used from all."""

    def __init__(self, url: str, tenant: str, settings: Settings) -> None:
        self.publisher = Publisher(url, tenant, settings)
        self.pacer = Pacer(lease=settings.lease)
        self.jobs = Jobs(self.publisher, self.pacer, settings.lease, describe=settings.describe_error)
        self.texts = Texts(self.publisher, settings)
        self._close_timeout = settings.close_timeout

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to connect; called in the thread of `loop`."""
        self.pacer.start(loop)
        self.texts.start(loop)
        self.publisher.start(loop)

    def enqueue(self, event: NewEvent) -> None:
        """Publish without telling the outcome to anybody but the log."""
        self.publisher.submit(
            event.topic, event.data, event.type, event_key=event.id, settle=partial(_report_loss, event.topic)
        )

    async def flush(self, timeout: float | None) -> None:
        """See `Producer.flush`."""
        try:
            async with asyncio.timeout(timeout):
                await asyncio.sleep(0)  # jobs that asked the pacer just now are heard
                await self.publisher.wait_settled()
                # What jobs kept back until their earlier events were stored is on its way now, or waits for its time.
                self.pacer.send_all()
                for _ in range(self.jobs.held + 1):
                    await self.publisher.wait_settled()
                await self.texts.flush()
        except TimeoutError:
            raise BrokerUnavailable(
                f"{self.publisher.unsettled} events are not acknowledged after {timeout} s: "
                f"{self.publisher.describe_trouble()}"
            ) from None

    async def close(self) -> None:
        """See `Producer.close`."""
        try:
            await self.flush(self._close_timeout)
        except BrokerUnavailable:
            self.publisher.stop_sending()
            if self.publisher.spooling:
                self.jobs.hand_over()
                self.texts.hand_over()
            if not self.publisher.spooling or self.publisher.awaited or self.texts.behind:
                raise
        finally:
            self.pacer.close()
            self.texts.close()
            await self.publisher.close()


class Batch:
    """The outcomes of many events, in order."""

    def __init__(self, publisher: Publisher, timeout: float | None) -> None:
        self._publisher = publisher
        self._timeout = timeout
        self._outcomes: list[Outcome] = []
        self.last = 0
        """Number of the newest event."""

    def submit(self, event: AnyEvent) -> None:
        """Take one more; raises what `Publisher.submit` does."""
        topic, data, event_type, key = NewEvent(*event)
        settle = partial(self._outcomes.__setitem__, len(self._outcomes))
        self._outcomes.append("")
        self.last = self._publisher.submit(
            topic, data, event_type, event_key=key, timeout=self._timeout, settle=settle, awaited=True
        )

    def take_ids(self) -> list[str]:
        """Return the event ids, once all are settled; raises the first error among them."""
        for outcome in self._outcomes:
            if isinstance(outcome, PublishError):
                raise outcome
        return [outcome for outcome in self._outcomes if isinstance(outcome, str)]


def _report_loss(topic: str, outcome: Outcome) -> None:
    if isinstance(outcome, PublishError):
        _log.error("event lost", topic=topic, reason=str(outcome))
