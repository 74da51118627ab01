"""`tailrace top`: the edges, live."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from tailrace_client.calls import Call
from tailrace_client.edges import Edges, Fields
from tailrace_client.sync_transport import SyncTransport
from tailrace_edge.stats import EdgeStats
from tailrace_protocol.errors import EdgeUnavailable
from tailrace_protocol.tenants import DEFAULT_TENANT

from tailrace_cli.edge_table import EdgeNow, EdgeTable, Total, format_edge, format_total
from tailrace_cli.links import explain_no_edge
from tailrace_cli.options import DEFAULT_EDGE_URL, EdgeUrls, read_token

_TIMEOUT = 5.0
"""Seconds for an edge to answer; it takes 0.3 s, in which it asks the others."""


class _Answer(msgspec.Struct, frozen=True):
    edges: list[EdgeStats]


class _Object(msgspec.Struct, frozen=True):
    time: datetime
    edges: list[EdgeNow]
    total: Total
    problem: str | None


class _Operations(Edges):
    """Edges, of no tenant."""

    def format_url(self, number: int, path: Sequence[str], fields: Fields = ()) -> str:
        """Return the URL of a path beside the tenants."""
        root = super().format_url(number, ()).removesuffix(f"{DEFAULT_TENANT}/")
        return f"{root}{'/'.join(path)}?{urlencode(fields)}"


_STATS = Call("GET", ("stats",), _Answer, [("cluster", "true")])


def command(
    url: EdgeUrls = [DEFAULT_EDGE_URL],  # noqa: B006  # typer copies it
    every: Annotated[
        float, typer.Option("--every", metavar="S", min=0.1, max=3600, help="Seconds between two refreshes.")
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Ask twice for the rates, print, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a refresh, for programs.")] = False,
) -> None:
    """Show all edges of the cluster and what they do, live, until Ctrl-C.

    One of them is asked, and asks the others over NATS. On a pipe it prints a line for each edge instead.

    Example:  [bold]tailrace top --every 2[/bold]
    """
    console = Console(highlight=False)
    with closing(SyncTransport(_Operations(url, DEFAULT_TENANT, read_token()), {"timeout": _TIMEOUT})) as transport:
        tables = _refresh(transport, url, every)
        if once:
            next(tables)
            _print(console, next(tables), as_json=as_json)
        elif console.is_terminal and not as_json:
            _show(console, tables)
        else:
            for table in tables:
                _print(console, table, as_json=as_json)


def _refresh(transport: SyncTransport, urls: list[str], every: float) -> Iterator[EdgeTable]:
    """Yield the table, each time anew. Not to reach an edge is an error only at the start."""
    asked = time.monotonic()
    with explain_no_edge(urls):
        answer = transport.call(_STATS)
    table = EdgeTable(time.monotonic())
    table.take(answer.edges, time.monotonic())
    while True:
        yield table
        time.sleep(max(0.0, asked + every - time.monotonic()))
        asked = time.monotonic()
        try:
            with explain_no_edge(urls):
                answer = transport.call(_STATS)
        except EdgeUnavailable as error:
            table.take([], time.monotonic(), str(error))
        else:
            table.take(answer.edges, time.monotonic())


def _show(console: Console, tables: Iterator[EdgeTable]) -> None:
    with Live(console=console, auto_refresh=False) as live:
        for table in tables:
            live.update(table.render(limit=console.height - 6), refresh=True)


def _print(console: Console, table: EdgeTable, *, as_json: bool) -> None:
    now = datetime.now(UTC)
    if as_json:
        typer.echo(msgspec.json.encode(_Object(now, table.read(), table.sum(), table.problem)))
    elif console.is_terminal:
        console.print(table.render(limit=None))
    else:
        lines = [*map(format_edge, table.read()), format_total(table.sum())]
        for line in lines if table.problem is None else [*lines, table.problem]:
            typer.echo(f"{now:%H:%M:%S}  {line}")
