"""`tailrace publish`: one event, or one for each line of standard input."""

import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer
from tailrace_producer import NewEvent, Settings, SyncProducer
from tailrace_producer.environment import DEFAULT_URL
from tailrace_protocol.errors import BrokerUnavailable, InvalidInput, InvalidTopic
from tailrace_protocol.events import MESSAGE, encode_stored
from tailrace_protocol.tenants import DEFAULT_TENANT
from tailrace_protocol.topics import check_topic

from tailrace_cli.options import NatsUrl, Tenant

_CHUNK = 64 * 1024


def command(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="What to publish to, like orders.17.")],
    data: Annotated[
        str | None, typer.Argument(metavar="JSON", help="The event's data. Lines of standard input if left out.")
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
    type: Annotated[str, typer.Option(help="The event's type.")] = MESSAGE,
    text: Annotated[bool, typer.Option("--text", help="The data is text, not JSON.")] = False,
    nats: NatsUrl = DEFAULT_URL,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for the broker.")] = 10.0,
) -> None:
    """Publish an event, and print its id once it is stored.

    Without JSON each line of standard input becomes an event, as it comes.

    Examples:  [bold]tailrace publish orders.17 '{"state": "paid"}' --type update[/bold]

    [bold]tail -f app.log | tailrace publish logs.app --text[/bold]
    """
    _check_topic(topic)
    events = _read_lines(topic, type, text) if data is None else iter([[_make_event(topic, type, data, text)]])
    with SyncProducer(nats, tenant=tenant, settings=Settings(name="tailrace-cli", close_timeout=timeout)) as producer:
        for batch in events:
            try:
                ids = producer.publish_many(batch, timeout=timeout)
            except BrokerUnavailable as error:
                raise BrokerUnavailable(f"{error} (broker: --nats or TAILRACE_NATS_URL)") from error
            typer.echo("\n".join(ids))


def _check_topic(topic: str) -> None:
    if {"*", ">"}.intersection(topic.split(".")):
        raise InvalidTopic(f"{topic!r} is a pattern, which cannot be published to; name one topic, like orders.17")
    check_topic(topic)


def _make_event(topic: str, event_type: str, data: str | bytes, text: bool) -> NewEvent:
    """Raises InvalidInput if it cannot be published."""
    try:
        value: Any = data if text else msgspec.json.decode(data, type=msgspec.Raw)
        if text and isinstance(data, bytes):
            value = data.decode(errors="replace")
        encode_stored(event_type, value)
    except msgspec.DecodeError as error:
        quoting = "quote it for the shell, or " if isinstance(data, str) else ""
        raise InvalidInput(f"this is not JSON: {error}; {quoting}pass --text for text") from error
    return NewEvent(topic, value, event_type)


def _read_lines(topic: str, event_type: str, text: bool) -> Iterator[list[NewEvent]]:
    """Yield the events of standard input, as many at a time as have come."""
    if sys.stdin.isatty():
        typer.echo("reading lines from standard input; Ctrl-D ends", err=True)
    number = 0
    for lines in _split_input():
        events = []
        try:
            for line in lines:
                number += 1
                if line.strip():
                    events.append(_make_event(topic, event_type, line, text))
        except InvalidInput as error:
            if events:
                yield events
            raise InvalidInput(f"line {number} of standard input: {error}") from error
        if events:
            yield events


def _split_input() -> Iterator[list[bytes]]:
    rest = b""
    while chunk := os.read(sys.stdin.fileno(), _CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.removesuffix(b"\r") for line in lines]
    if rest:
        yield [rest]
