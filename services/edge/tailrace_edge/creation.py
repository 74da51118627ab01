"""The creation of the log's stream, and its update."""

import asyncio
from typing import Any

from tailrace_protocol.stream import STREAM, build_stream_config

from tailrace_edge.jetstream import JetStream, JetStreamError, JetStreamUnavailable

_DAY = 86400 * 1_000_000_000


async def create_stream(
    url: str, *, replicas: int | None = None, max_age: float | None = None, max_bytes: int | None = None
) -> tuple[bool, dict[str, Any]]:
    """Create the log's stream, or update it; safe to run again.

    Args:
        url: of the broker.
        replicas: how many brokers keep it. None leaves it as it is; a new stream gets 1.
        max_age: seconds an event is kept. None leaves it as it is; a new stream gets a day.
        max_bytes: of all events. None leaves it as it is; a new stream has no limit.

    Returns:
        Whether it was created, and its configuration as JetStream has it (times in nanoseconds).

    Raises:
        JetStreamUnavailable: the broker is not there.
        JetStreamError: it refused.
    """
    jetstream = await _connect_once(url)
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


async def _connect_once(url: str) -> JetStream:
    jetstream = JetStream(url, name="tailrace-init")
    try:
        async with asyncio.timeout(5):
            await jetstream.connect()
    except TimeoutError:
        raise JetStreamUnavailable(f"no broker answers at {', '.join(jetstream.hosts)}") from None
    return jetstream
