"""Settings of a producer, with defaults that suit a service beside its broker."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How a producer connects, how much it keeps in memory, and how long it waits.

    Attributes:
        outbox_events: events that may wait for their acknowledgement. What comes on top raises OutboxFull.
        outbox_bytes: the same in bytes.
        window: events sent and not yet acknowledged, at most.
        window_bytes: the same in bytes; one event is always allowed.
        ack_timeout: seconds after which an event without acknowledgement is sent again.
        close_timeout: seconds that closing waits for acknowledgements, also at the exit of the interpreter.
        connect_timeout: seconds for one attempt to connect to one broker.
        name: of the connection, as the broker's monitoring shows it.
        credentials: path of a NATS `.creds` file. User and password, or a token, may stand in the URL.
        tls: for `tls://` URLs, where the system's certificates are not the right ones.
        inbox_prefix: subject under which the acknowledgements come. A broker that separates its users by permissions
            gives each a prefix of its own.
    """

    outbox_events: int = 100_000
    outbox_bytes: int = 64 * 1024 * 1024
    window: int = 1024
    window_bytes: int = 1024 * 1024
    ack_timeout: float = 2.0
    close_timeout: float = 10.0
    connect_timeout: float = 2.0
    name: str = "tailrace-producer"
    credentials: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    inbox_prefix: str = "_INBOX"
