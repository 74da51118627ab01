"""The stream as its leader holds it: the truth against which every client's history is held."""

import random
from datetime import UTC, datetime
from enum import StrEnum

from tailrace_protocol.events import TERMINAL_TYPES, decode_stored, encode_line, encode_stored

TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)

PATHS = [
    *("acme.jobs.a", "acme.jobs.b", "acme.users.7.jobs.c", "acme.x.y", "acme.x.z.w", "acme.x"),
    *("beta.jobs.a", "beta.x.y"),
]
TYPES = ["start", *["progress"] * 6, "log", "message", "custom.type", "complete", "failed"]
FOREIGN = [b"", b"plain text\nof two lines", b'{\n  "a": [1,\r\n 2]\n}', b"\xff\xfe", b'{"type":"tailrace"}', b"17"]


class Removal(StrEnum):
    """Why a message is no longer stored."""

    DELETED = "deleted"
    RETENTION = "retention"


class Message:
    """One message, stored or removed."""

    __slots__ = ("event", "path", "payload", "removed", "sequence")

    def __init__(self, sequence: int, path: str, payload: bytes) -> None:
        self.sequence = sequence
        self.path = path
        self.payload = payload
        self.event = decode_stored(payload, self.stored_at)
        self.removed: Removal | None = None

    @property
    def stored_at(self) -> int:
        return self.sequence * 1_000_000_000

    @property
    def terminal(self) -> bool:
        return self.event.type in TERMINAL_TYPES

    @property
    def ends_job(self) -> bool:
        return self.terminal or self.event.type == "deleted"

    def line(self, event_id: str | None) -> str:
        """Return what a client has to get for it."""
        return encode_line(self.path.partition(".")[2], self.event, event_id).decode()


class Stream:
    """All messages there ever were, by sequence, and which of them are still stored."""

    def __init__(self, epoch: str, messages: list[Message] | None = None) -> None:
        self.epoch = epoch
        self.messages = messages or []
        self.first = 1
        self._find_first()

    @property
    def last(self) -> int:
        return len(self.messages)

    def restore(self, epoch: str, last: int) -> "Stream":
        """Return what a backup that reaches up to `last` brings back."""
        copies = []
        for message in self.messages[:last]:
            copy = Message(message.sequence, message.path, message.payload)
            copy.removed = message.removed
            copies.append(copy)
        return Stream(epoch, copies)

    def append(self, path: str, payload: bytes) -> None:
        self.messages.append(Message(self.last + 1, path, payload))

    def append_random(self, rng: random.Random) -> None:
        path = rng.choice(PATHS)
        if rng.random() < 0.08:
            self.append(path, rng.choice(FOREIGN))
            return
        data: dict[str, object] = {"n": self.last + 1}
        if rng.random() < 0.05:
            data["pad"] = "x" * rng.choice((300, 5_000))
        self.append(path, encode_stored(rng.choice(TYPES), data, TIME))

    def stored(self, after: int, until: int | None = None) -> list[Message]:
        """Return what is stored after one sequence, up to another."""
        return [message for message in self.messages[after:until] if message.removed is None]

    def newest(self, until: int) -> dict[str, Message]:
        """Return the newest stored message of each path up to a sequence."""
        return {message.path: message for message in self.stored(0, until)}

    def delete(self, sequence: int) -> None:
        message = self.messages[sequence - 1]
        message.removed = message.removed or Removal.DELETED
        self._find_first()

    def delete_path(self, path: str) -> None:
        """Delete a topic, as a tombstone and the purge after it do."""
        for message in self.stored(0):
            if message.path == path:
                message.removed = Removal.DELETED
        self.append(path, encode_stored("deleted", None, TIME))
        self._find_first()

    def expire(self, first: int) -> None:
        """Remove everything before `first`, as retention does."""
        for message in self.messages[: first - 1]:
            message.removed = message.removed or Removal.RETENTION
        self._find_first()

    def _find_first(self) -> None:
        while self.first <= self.last and self.messages[self.first - 1].removed is not None:
            self.first += 1
