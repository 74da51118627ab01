"""`tailrace up`: a whole node, for development."""

import asyncio
import os
import signal
from typing import Annotated

import typer
from tailrace_edge.settings import find_unknown
from tailrace_producer.environment import DEFAULT_URL

from tailrace_cli.commands.edge import read_settings
from tailrace_cli.node import Node
from tailrace_cli.options import DEFAULT_STORE, MaxAge, Store, parse_max_age


def command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the edges; 0 for any that is free.")] = 8080,
    edges: Annotated[int, typer.Option(min=1, max=64, help="How many edges share the port.")] = 2,
    store: Store = DEFAULT_STORE,
    nats_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the broker; 0 for any that is free.")
    ] = 4222,
    max_age: MaxAge = None,
) -> None:
    """Run everything on this machine, for development: the broker, the log in it, and some edges on one port.

    What dies is started again. Logs are in DIR/logs. Ctrl-C stops the edges, then the broker. The edges take their
    other settings from TAILRACE_* variables, see [bold]tailrace edge --help[/bold].

    Example:  [bold]tailrace up --port 8080 --edges 2 --store ./data[/bold]
    """
    kept = None if max_age is None else parse_max_age(max_age)
    # Tells of mistakes here, and not in the edges' logs. What the edges are given as options may be anything.
    read_settings({"host": "127.0.0.1", "port": port, "nats_url": DEFAULT_URL})
    for line in find_unknown(os.environ):
        _tell(line)
    node = Node(
        store=store,
        port=port,
        edges=edges,
        nats_port=nats_port,
        max_age=kept,
        edge_settings=_choose_settings(),
        tell=_tell,
    )
    asyncio.run(_run(node))


def _choose_settings() -> dict[str, str]:
    """Return what the edges are told besides the environment: the console may cause faults, without tokens."""
    if os.environ.get("TAILRACE_AUTH", "none") != "none" or "TAILRACE_FAULTS" in os.environ:
        return {}
    return {"TAILRACE_FAULTS": "true"}


async def _run(node: Node) -> None:
    running = asyncio.create_task(_serve(node))

    def interrupt() -> None:
        if running.cancelling():
            _tell("killing what is left")
            node.kill()
        else:
            _tell("stopping; once more to kill")
            running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    await asyncio.wait([running])
    if running.cancelled():
        _tell("stopped")
    else:
        await running


async def _serve(node: Node) -> None:
    _tell("starting broker and edges")
    async with node:
        _greet(node)
        await asyncio.Event().wait()


def _greet(node: Node) -> None:
    typer.echo(f"{', '.join(node.edges)} serve {node.url}")
    typer.echo(f"the broker serves {node.nats_url}; logs are in {node.store / 'logs'}")
    typer.echo(f"look: {node.url}/console")
    typer.echo(f"try:  {_choose_token()}tailrace tail '>' --url {node.url}")
    typer.echo(f"and:  tailrace publish hello '\"world\"' --nats {node.nats_url}")


def _choose_token() -> str:
    """Return what has to stand before commands that ask an edge: nothing, or a token for those that want one."""
    if os.environ.get("TAILRACE_AUTH", "none") == "none":
        return ""
    return "TAILRACE_TOKEN=" + (
        "$(tailrace token --subscribe '>') " if os.environ.get("TAILRACE_JWT_SECRET") else "... "
    )


def _tell(line: str) -> None:
    typer.echo(line, err=True)
