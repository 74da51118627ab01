"""The creation of the log's stream, and its update."""

import asyncio
from typing import Any

from tailrace_protocol.stream import STREAM, build_stream_config

from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable
from tailrace_edge.login import Login

_PATIENCE = 5
"""Seconds for the connection."""

_CANCEL_AGAIN = 0.02

_DAY = 86400 * 1_000_000_000


async def create_stream(
    url: str,
    *,
    replicas: int | None = None,
    max_age: float | None = None,
    max_bytes: int | None = None,
    login: Login | None = None,
) -> tuple[bool, dict[str, Any]]:
    """Create the log's stream, or update it; safe to run again.

    Args:
        url: of the broker.
        replicas: how many brokers keep it. None leaves it as it is; a new stream gets 1.
        max_age: seconds an event is kept. None leaves it as it is; a new stream gets a day.
        max_bytes: of all events. None leaves it as it is; a new stream has no limit.
        login: at the broker, besides the user in the URL.

    Returns:
        Whether it was created, and its configuration as JetStream has it (times in nanoseconds).

    Raises:
        JetStreamUnavailable: the broker is not there.
        JetStreamError: it refused.
        SetupError: a file of the login cannot be used.
    """
    jetstream = await _connect_once(url, login)
    try:
        known: dict[str, Any] = {}
        try:
            known = (await jetstream.read_state()).config
        except JetStreamError as error:
            if error.code != 404:
                raise
        config = build_stream_config(
            replicas=known.get("num_replicas", 1) if replicas is None else replicas,
            max_age=known.get("max_age", _DAY) / 1e9 if max_age is None else max_age,
            max_bytes=known.get("max_bytes", -1) if max_bytes is None else max_bytes,
        )
        # What else an existing stream has stays, above all its metadata, which hold the generation.
        call = "UPDATE" if known else "CREATE"
        answer = await jetstream.request(f"STREAM.{call}.{STREAM}", known | config, timeout=10)
        return not known, answer["config"]
    finally:
        await jetstream.close()


async def _connect_once(url: str, login: Login | None) -> JetStream:
    jetstream = JetStream(url, name="tailrace-init", login=login)
    connecting = asyncio.create_task(jetstream.connect())
    if not (await asyncio.wait([connecting], timeout=_PATIENCE))[0]:
        # Once may not be enough: nats-py takes a cancellation within an attempt to connect for its failure.
        while not connecting.done():
            connecting.cancel()
            await asyncio.wait([connecting], timeout=_CANCEL_AGAIN)
        why = f": {jetstream.trouble}" if jetstream.trouble else ""
        raise JetStreamUnavailable(f"no broker answers at {', '.join(jetstream.hosts)}{why}")
    await connecting
    return jetstream
