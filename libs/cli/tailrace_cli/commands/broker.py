"""`tailrace broker`: the embedded nats-server in the foreground."""

import os
from typing import Annotated

import typer

from tailrace_cli import nats_server
from tailrace_cli.options import DEFAULT_STORE, Store


def command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 4222,
    store: Store = DEFAULT_STORE,
) -> None:
    """Run the broker: the real nats-server, with JetStream on, in the foreground.

    It listens on loopback only unless told otherwise: it has no password. Make the log in it once, with
    [bold]tailrace init[/bold].

    Example:  [bold]tailrace broker --port 4222 --store ./data[/bold]
    """
    nats_server.check_port(host, port, option="--port")
    command = nats_server.build_command(host, port, store)
    nats_server.lock_store(store)
    # In this process's place: signals and the exit status are the broker's own.
    os.execv(command[0], command)  # noqa: S606  # no shell, and a program that find_nats_server found
