"""`tailrace init`: create or update the stream."""

import asyncio
import os
from typing import Annotated, Any

import typer
from tailrace_edge.creation import create_stream
from tailrace_edge.jetstream import JetStreamError, JetStreamUnavailable
from tailrace_edge.login import find_login
from tailrace_producer.environment import DEFAULT_URL
from tailrace_protocol.errors import BrokerUnavailable, SetupError
from tailrace_protocol.stream import STREAM

from tailrace_cli.options import MaxAge, NatsUrl, format_age, parse_max_age, parse_max_bytes

_TOO_FEW_BROKERS = (10074, 10005)
"""JetStream's numbers for: no cluster, and a cluster that is too small."""

_KEPT = "as it is; for a new log "

MaxBytes = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="How much is kept, like 10G; the oldest events go first.", show_default=_KEPT + "no limit"
    ),
]
Replicas = Annotated[
    int | None,
    typer.Option(min=1, max=5, help="Brokers that keep the log: 1, or 3 in production.", show_default=_KEPT + "1"),
]


def command(
    nats: NatsUrl = DEFAULT_URL, replicas: Replicas = None, max_age: MaxAge = None, max_bytes: MaxBytes = None
) -> None:
    """Create the log in the broker, or change its limits. Safe to run again: what is not given stays as it is.

    Example:  [bold]tailrace init --nats nats://127.0.0.1:4222 --max-age 7d --max-bytes 10G[/bold]
    """
    kept = None if max_age is None else parse_max_age(max_age)
    limit = None if max_bytes is None else parse_max_bytes(max_bytes)
    login = find_login(os.environ)
    try:
        creation = create_stream(nats, replicas=replicas, max_age=kept, max_bytes=limit, login=login)
        created, config = asyncio.run(creation)
    except JetStreamUnavailable as error:
        raise BrokerUnavailable(f"{error}; start one with tailrace broker, or name another with --nats") from error
    except JetStreamError as error:
        if error.error_code not in _TOO_FEW_BROKERS:
            raise
        raise SetupError(f"--replicas {replicas} takes a cluster of as many brokers, all there: {error}") from error
    typer.echo(f"stream {STREAM} {'created' if created else 'is there'}: {_describe(config)}")


def _describe(config: dict[str, Any]) -> str:
    age = format_age(config["max_age"] // 1_000_000_000)
    size = f"at most {config['max_bytes']:,} bytes" if config["max_bytes"] > 0 else "no limit in bytes"
    return (
        f"events are kept {'for ever' if age == '0' else f'for {age}'}, {size}, on {config['num_replicas']} broker(s)"
    )
