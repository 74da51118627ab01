"""What stands in front of a broker and is none: it breaks connections, or says what no broker does."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from support.resets import accepting, reset

INFO = b'INFO {"server_id":"x","version":"2.10.0","headers":true,"max_payload":1048576,"proto":1}\r\n'

Treat = Callable[[socket.socket], None]


def greet_and_reset(connected: socket.socket) -> None:
    connected.sendall(INFO)
    reset(connected)


def greet_with(line: bytes) -> Treat:
    return lambda connected: connected.sendall(line)


def admit_and_say(line: bytes) -> Treat:
    """Let the client in, and say something then."""

    def treat(connected: socket.socket) -> None:
        connected.sendall(INFO)
        received = b""
        while b"PING\r\n" not in received:
            data = connected.recv(65536)
            if not data:
                return
            received += data
        connected.sendall(b"PONG\r\n" + line)
        while connected.recv(65536):
            pass

    return treat


NO_BROKERS: dict[str, Treat] = {
    "greeting without words": greet_with(b"INFO\r\n"),
    "greeting that is no object": greet_with(b"INFO []\r\n"),
    "line without end": greet_with(b"x" * 200_000),
    "error without words": lambda connected: connected.sendall(INFO + b"-ERR\r\n"),
    "other protocol": greet_with(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "no message": admit_and_say(b"MSG events\r\n"),
    "message of no size": admit_and_say(b"MSG events.a 1 x\r\n"),
    "message of less than nothing": admit_and_say(b"MSG events.a 1 -40\r\n"),
    "too many connections": admit_and_say(b"-ERR 'maximum account active connections exceeded'\r\n"),
    "login withdrawn": admit_and_say(b"-ERR 'Authorization Violation'\r\n"),
}


@contextmanager
def in_front_of(broker: int, treats: Sequence[Treat]) -> Iterator[str]:
    """Yield a URL. The i-th connection to it is treated by the i-th function; those after them get to the broker."""

    def treat(connected: socket.socket) -> None:
        with suppress(OSError):  # the client may go at any time
            if left:
                left.pop(0)(connected)
            else:
                _relay(connected, broker)

    left = list(treats)
    with accepting(treat) as port:
        yield f"nats://127.0.0.1:{port}"


def _relay(client: socket.socket, broker: int) -> None:
    with socket.create_connection(("127.0.0.1", broker)) as upstream:
        back = threading.Thread(target=_pump, args=(upstream, client))
        back.start()
        _pump(client, upstream)
        back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
