"""Settings of a producer, with defaults that suit a service beside its broker."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tailrace_protocol.errors import SetupError

_ABOVE_ZERO = (
    *("outbox_events", "outbox_bytes", "window", "window_bytes", "text_batch"),
    *("ack_timeout", "connect_timeout"),
)
_ZERO_OR_MORE = ("close_timeout", "text_interval")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a producer connects, how much it keeps in memory, and how long it waits.

    Attributes:
        outbox_events: events that may wait for their acknowledgement. What comes on top raises OutboxFull.
        outbox_bytes: the same in bytes.
        outbox_path: of a folder in which events wait that are not acknowledged for a while, so that they survive the
            process. It may be shared by all producers that publish to the same broker. None for memory alone.
        window: events sent and not yet acknowledged, at most.
        window_bytes: the same in bytes; one event is always allowed.
        ack_timeout: seconds after which an event without acknowledgement is sent again.
        close_timeout: seconds that closing waits for acknowledgements, also at the exit of the interpreter.
        connect_timeout: seconds for one attempt to connect to one broker.
        name: of the connection, as the broker's monitoring shows it.
        credentials: path of a NATS `.creds` file, or of an nkey's seed; by default what `TAILRACE_NATS_CREDENTIALS`
            says. It needs `tailrace-producer[nkeys]`. User and password, or a token, may stand in the URL.
        tls: how the broker is trusted, and what certificate it is shown; nothing is then sent in the clear. By default
            what `TAILRACE_NATS_CA`, `TAILRACE_NATS_CERT` and `TAILRACE_NATS_KEY` say, else the system's certificates.
        inbox_prefix: subject under which the acknowledgements come; by default what `TAILRACE_NATS_INBOX_PREFIX` says,
            else `_INBOX_<user>` for the user in the URL, and `_INBOX` without one.
        lease: seconds after which a running job of which nothing was heard counts as lost. A third of it is the time
            between two signs of life of a job that has nothing to report. None for none.
        text_interval: seconds for which the tokens of a text are gathered for one event.
        text_batch: characters of a text that are published at once, without waiting for that long.
        describe_error: gets the exception that ended a job, an attempt or a text, and returns what watchers are told
            of it beside its type. By default they are told its own text, `str(error)`, as it is.
    """

    outbox_events: int = 100_000
    outbox_bytes: int = 64 * 1024 * 1024
    outbox_path: Path | str | None = None
    window: int = 1024
    window_bytes: int = 1024 * 1024
    ack_timeout: float = 2.0
    close_timeout: float = 10.0
    connect_timeout: float = 2.0
    name: str = "tailrace-producer"
    credentials: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    inbox_prefix: str | None = None
    lease: float | None = 30.0
    text_interval: float = 0.04
    text_batch: int = 4096
    describe_error: Callable[[BaseException], str] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            SetupError: a number is too small.
        """
        if self.lease is not None and not self.lease > 0:
            raise SetupError(f"a lease of {self.lease} s is none; None switches leases off")
        for name in _ABOVE_ZERO:
            if not getattr(self, name) > 0:
                raise SetupError(f"{name}={getattr(self, name)!r} cannot work: it has to be above 0")
        for name in _ZERO_OR_MORE:
            if not getattr(self, name) >= 0:
                raise SetupError(f"{name}={getattr(self, name)!r} cannot work: it has to be 0 or more")
