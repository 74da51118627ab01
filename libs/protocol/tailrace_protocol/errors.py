"""The tree of errors. Every error that Tailrace raises on purpose is one of these.

TailraceError
├── InvalidInput (also ValueError): what was passed in breaks a rule of the protocol
│   ├── InvalidTenant
│   ├── InvalidTopic
│   ├── InvalidPattern
│   ├── InvalidEventType
│   ├── InvalidPosition
│   ├── InvalidStart
│   ├── InvalidData
│   └── EventTooLarge
├── PublishError: an event is not known to be stored
│   ├── BrokerUnavailable
│   ├── OutboxFull
│   └── ProducerClosed
├── StreamError: a stream cannot be read or carried on
│   ├── EdgeUnavailable
│   ├── EdgeRefused
│   │   └── NotFound
│   └── MalformedStream
└── SetupError: a program was started with settings that cannot work
"""


class TailraceError(Exception):
    """Base of every error that Tailrace raises on purpose."""


class InvalidInput(TailraceError, ValueError):
    """What was passed in breaks a rule of the protocol; nothing was sent or stored."""


class InvalidTenant(InvalidInput):
    """A tenant's name breaks the rule `[a-z0-9][a-z0-9_-]{0,62}`."""


class InvalidTopic(InvalidInput):
    """A topic breaks the rules of `tailrace_protocol.topics`."""


class InvalidPattern(InvalidInput):
    """A pattern is neither a topic nor one with NATS wildcards."""


class InvalidEventType(InvalidInput):
    """An event's type breaks the rule `[a-z][a-z0-9._-]{0,63}`, or is the reserved `tailrace`."""


class InvalidPosition(InvalidInput):
    """A text is not an event id of the form `<epoch>-<sequence>`."""


class InvalidStart(InvalidInput):
    """A text names no place in the log to start from."""


class InvalidData(InvalidInput):
    """An event's data cannot be written as JSON."""


class EventTooLarge(InvalidInput):
    """An event is larger than one event may be.

    Attributes:
        size: bytes of the event as it would be stored.
        limit: bytes one event may have.
    """

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(size, limit)
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"the event has {self.size} bytes, {self.limit} are allowed; "
            "store the content elsewhere and publish a link to it"
        )


class PublishError(TailraceError):
    """An event is not known to be stored."""


class BrokerUnavailable(PublishError):
    """The broker could not be reached, or did not acknowledge in time."""


class OutboxFull(PublishError):
    """More events wait for the broker than the outbox holds; this one was not taken."""


class ProducerClosed(PublishError):
    """The producer was closed before; open a new one."""


class StreamError(TailraceError):
    """A stream cannot be read or carried on."""


class EdgeUnavailable(StreamError):
    """No edge answered; trying again later may help."""


class EdgeRefused(StreamError):
    """An edge answered with an error that trying again does not mend.

    Attributes:
        status: HTTP status.
        title: what the status means here.
        detail: what was wrong and what to do.
    """

    def __init__(self, status: int, title: str, detail: str) -> None:
        super().__init__(status, title, detail)
        self.status = status
        self.title = title
        self.detail = detail

    def __str__(self) -> str:
        return f"the edge answered {self.status} {self.title}: {self.detail}"


class NotFound(EdgeRefused):
    """The edge has no such topic or job, or it was deleted."""


class MalformedStream(StreamError):
    """Bytes came that no edge sends: an event without end, or JSON that is not an event."""


class SetupError(TailraceError):
    """A program was started with settings that cannot work."""
