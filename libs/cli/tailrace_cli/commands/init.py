"""`tailrace init`: create or update the stream."""

import asyncio
from typing import Annotated

import typer
from tailrace_edge.jetstream import JetStreamUnavailable, create_stream
from tailrace_producer.producer import DEFAULT_URL
from tailrace_protocol.errors import BrokerUnavailable
from tailrace_protocol.stream import STREAM

from tailrace_cli.options import DEFAULT_MAX_AGE, MaxAge, NatsUrl, parse_max_age, parse_max_bytes

MaxBytes = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="How much is kept, like 10G; the oldest events go first.",
        show_default="no limit",
    ),
]


def command(
    nats: NatsUrl = DEFAULT_URL,
    replicas: Annotated[int, typer.Option(min=1, max=5, help="Brokers that keep the log: 1, or 3 in production.")] = 1,
    max_age: MaxAge = DEFAULT_MAX_AGE,
    max_bytes: MaxBytes = None,
) -> None:
    """Create the log in the broker, or change its limits. Safe to run again.

    Example:  [bold]tailrace init --nats nats://127.0.0.1:4222 --max-age 7d --max-bytes 10G[/bold]
    """
    kept = parse_max_age(max_age)
    limit = None if max_bytes is None else parse_max_bytes(max_bytes)
    try:
        created = asyncio.run(create_stream(nats, replicas=replicas, max_age=kept, max_bytes=limit))
    except JetStreamUnavailable as error:
        raise BrokerUnavailable(f"{error}; start one with tailrace broker, or name another with --nats") from error
    typer.echo(f"stream {STREAM} {'created' if created else 'updated'}")
