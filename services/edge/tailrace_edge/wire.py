"""A receive path for NATS messages that costs a tenth of nats-py's (measured: 3.6 against 27-32 us a message).

It parses MSG and HMSG for receivers of its own and leaves everything else to nats-py's parser.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol


class Receiver(Protocol):
    """Takes the messages of one subscription."""

    def receive(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take one message; called synchronously, in order. The header is empty if it has none."""

    def flush(self) -> None:
        """Learn that no more messages are at hand at the moment; called after one or more `receive`."""

    def fail(self, error: Exception) -> None:
        """Learn that one of the two raised `error`. An exception passed on would end the connection's read loop."""


class MessageParser:
    """Takes the place of `nats.aio.client.Client._ps`, whose `parse` and `reset` the client calls."""

    def __init__(
        self,
        stock: Any,
        process_message: Callable[[int, bytes, bytes, bytes, Any], Awaitable[None]],
    ) -> None:
        """Make a parser.

        Args:
            stock: nats-py's parser, for all other operations.
            process_message: nats-py's, for messages of other subscriptions.
        """
        self.receivers: dict[int, Receiver] = {}
        self._stock = stock
        self._process_message = process_message
        # What the stock parser had half read when it was replaced
        self._rest = bytes(stock.buf)
        stock.reset()

    def reset(self) -> None:
        """Forget what is half read; the client calls it for every new connection."""
        self._rest = b""
        self._stock.reset()

    async def parse(self, data: bytes = b"") -> None:
        """Take in what came from the server.

        Raises:
            nats.errors.ProtocolError: it is not the NATS protocol.
        """
        buffer = self._rest + data if self._rest else data
        # Kept at once, since nats-py may reset the parser while an operation is processed.
        self._rest = b""
        receivers = self.receivers
        touched: dict[int, Receiver] = {}
        size = len(buffer)
        start = 0
        while True:
            end = buffer.find(b"\r\n", start)
            if end < 0:
                break
            if not buffer.startswith((b"MSG ", b"HMSG "), start):
                await self._stock.parse(buffer[start : end + 2])
                start = end + 2
                continue
            # MSG <subject> <sid> [reply] <size>, HMSG <subject> <sid> [reply] <header size> <size>
            # Only a space separates fields: a subject may hold other bytes that Python takes for white space.
            fields = buffer[start:end].split(b" ")
            body = end + 2
            stop = body + int(fields[-1])
            if stop + 2 > size:
                break
            has_header = fields[0] == b"HMSG"
            content = body + int(fields[-2]) if has_header else body
            reply = fields[3] if len(fields) == 5 + has_header else b""
            sid = int(fields[2])
            receiver = receivers.get(sid)
            if receiver is None:
                await self._process_message(
                    sid, fields[1], reply, buffer[content:stop], buffer[body:content] if has_header else None
                )
            else:
                touched[sid] = receiver
                try:
                    receiver.receive(fields[1], reply, buffer[body:content], buffer[content:stop])
                except Exception as error:
                    receiver.fail(error)
            start = stop + 2
        self._rest = buffer[start:]
        for receiver in touched.values():
            try:
                receiver.flush()
            except Exception as error:
                receiver.fail(error)
