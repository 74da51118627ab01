"""The server of `nats_usual`: `python -m bench.contenders.nats_server URL PORT`."""

import asyncio
import contextlib
import sys

import nats
import uvloop
from nats.aio.client import Client

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n"


async def main(url: str, port: int) -> None:
    """Serve until cancelled."""
    client = await nats.connect(url)
    server = await asyncio.start_server(
        lambda reader, writer: serve(client, reader, writer), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


async def serve(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Stream the subject that the path names."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        request = await reader.readuntil(b"\r\n\r\n")
        subject = request.split(b" ", 2)[1][1:].decode()
        subscription = await client.subscribe(subject)
        await client.flush()
        writer.write(_HEAD)
        try:
            async for message in subscription.messages:
                writer.write(b"event: message\ndata: " + message.data + b"\n\n")
                await writer.drain()
        finally:
            await subscription.unsubscribe()
    writer.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
