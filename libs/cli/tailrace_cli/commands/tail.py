"""`tailrace tail`: follow topics."""

import sys
from functools import partial
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text
from tailrace_client import Event, Gap, Link, LinkState, Reset, SyncClient
from tailrace_protocol.tenants import DEFAULT_TENANT

from tailrace_cli.links import format_link
from tailrace_cli.options import DEFAULT_EDGE_URL, EdgeUrls, Tenant, read_token

_STYLES = {"failed": "red", "warning": "yellow", "complete": "green", "cancelled": "magenta"}


def command(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC", help="Topics, or patterns with * and >.")],
    url: EdgeUrls = [DEFAULT_EDGE_URL],  # noqa: B006  # typer copies it
    tenant: Tenant = DEFAULT_TENANT,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="START",
            help="now, last (newest of each topic), start, an event id, a time, or like -10m.",
        ),
    ] = "now",
    types: Annotated[
        str | None, typer.Option(metavar="TYPE,...", help="Only events of these types.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
) -> None:
    """Follow topics until Ctrl-C. It resumes by itself where it was, at any edge; each event comes once, in order.

    What is not an event - lost connections, gaps - goes to standard error.

    Example:  [bold]tailrace tail 'orders.>' --from -10m --json[/bold]
    """
    console = Console(highlight=False, soft_wrap=True)
    wanted = types.split(",") if types is not None else None
    with SyncClient(url, tenant=tenant, token=read_token(), backoff_cap=5) as client:
        for item in client.stream(*topics, start=start, types=wanted, observe=partial(_tell_link, url)):
            match item:
                case Gap():
                    _tell(f"gap: the events from {item.from_} to {item.to} are gone ({item.why})")
                case Reset():
                    _tell(f"reset: the log is another one or lost its end ({item.why}); going on after {item.cursor}")
                case Event() if as_json:
                    typer.echo(msgspec.json.encode(item))
                case Event():
                    console.print(format_event(item))


def format_event(event: Event) -> Text:
    """Return an event as a line for people."""
    return Text("  ").join(
        [
            Text(event.time.astimezone().strftime("%H:%M:%S.%f")[:-3], "dim"),
            Text(event.topic, "cyan"),
            Text(event.type, _STYLES.get(event.type, "bold")),
            Text(msgspec.json.encode(event.data).decode()),
        ]
    )


def _tell_link(urls: list[str], link: Link) -> None:
    if link.state is LinkState.LIVE:
        _tell(f"{'connected' if link.reconnects == 0 else 'resumed'} at {link.edge}")
    elif link.state not in (LinkState.ENDED, LinkState.UNAUTHORIZED):  # the latter is an error, which is told
        _tell(format_link(link, urls))


def _tell(line: str) -> None:
    if sys.stderr.isatty():
        typer.secho(line, err=True, dim=True)
    else:
        typer.echo(line, err=True)
