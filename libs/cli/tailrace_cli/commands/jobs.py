"""`tailrace jobs`: the jobs, live."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from tailrace_client import Event, Gap, JobState, Link, LinkState, Reset, SyncClient
from tailrace_protocol.tenants import DEFAULT_TENANT
from tailrace_protocol.topics import quote_token

from tailrace_cli.job_table import JobTable, format_job
from tailrace_cli.links import explain_no_edge, format_link
from tailrace_cli.options import DEFAULT_EDGE_URL, EdgeUrls, Tenant, read_token


def command(
    url: EdgeUrls = [DEFAULT_EDGE_URL],  # noqa: B006  # typer copies it
    tenant: Tenant = DEFAULT_TENANT,
    user: Annotated[str | None, typer.Option(help="Only this owner's jobs.", show_default="all")] = None,
    once: Annotated[bool, typer.Option("--once", help="Print the list and exit.")] = False,
) -> None:
    """Show the jobs with their progress, live, until Ctrl-C.

    On a pipe it prints a line for each change instead.

    Example:  [bold]tailrace jobs --tenant acme --user 7[/bold]
    """
    console = Console(highlight=False)
    with SyncClient(url, tenant=tenant, token=read_token(), backoff_cap=5) as client, explain_no_edge(url):
        if once:
            _print_list(console, client.jobs(user=user))
        elif console.is_terminal:
            _show(console, client, user)
        else:
            _print_changes(client, user, url)


def _list_patterns(user: str | None) -> list[str]:
    return ["jobs.*", "users.*.jobs.*"] if user is None else [f"users.{quote_token(user)}.jobs.*"]


def _print_list(console: Console, states: Iterable[JobState]) -> None:
    table = JobTable(states)
    if console.is_terminal:
        console.print(table.render(limit=None))
    else:
        for state in table.sort():
            typer.echo(format_job(state))


def _print_changes(client: SyncClient, user: str | None, urls: list[str]) -> None:
    table = JobTable()
    for item in client.stream(*_list_patterns(user), start="last", observe=partial(_tell_link, urls)):
        states = [table.take(item)] if isinstance(item, Event) else table.replace(client.jobs(user=user))
        for state in states:
            if state is not None:
                typer.echo(format_job(state))


def _show(console: Console, client: SyncClient, user: str | None) -> None:
    table = JobTable()
    with Live(console=console, get_renderable=lambda: table.render(limit=console.height - 6), refresh_per_second=10):
        for item in client.stream(*_list_patterns(user), start="last", observe=table.observe):
            match item:
                case Event():
                    table.take(item)
                case Gap() | Reset():
                    table.replace(client.jobs(user=user))


def _tell_link(urls: list[str], link: Link) -> None:
    if link.state not in (LinkState.LIVE, LinkState.ENDED, LinkState.UNAUTHORIZED):  # the last is an error, and told
        typer.echo(format_link(link, urls), err=True)
