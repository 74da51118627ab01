"""What the servers of the load generator's tests send."""

import time
from asyncio import StreamWriter

from support.loadgen import Script


def make_event(n: int, k: int = 0, t: int = 0, padding: int = 0) -> bytes:
    data = f'{{"t":{t or time.time_ns()},"n":{n},"k":{k},"pad":"{"x" * padding}"}}'
    return f"id: e-{n}\ndata: {data}\n\n".encode()


def make_chunk(data: bytes) -> bytes:
    return (
        b"%x;name=value\r\n%s\r\n" % (len(data), data)
        if data.startswith(b"id")
        else b"%X\r\n%s\r\n" % (len(data), data)
    )


def send(*pieces: bytes) -> Script:
    """Return a script that sends the same to each client."""

    async def script(_request: bytes, writer: StreamWriter) -> None:
        writer.write(b"".join(pieces))

    return script


def number_of(request: bytes) -> int:
    """Return the client's number, where the template is `GET /{i} ...`."""
    return int(request.split()[1][1:])


NUMBERED = "GET /{i} HTTP/1.1\nHost: test\n\n"
