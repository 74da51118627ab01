"""The `tailrace` command: every mistake of its user becomes one line and an exit status, never a traceback."""

from importlib.metadata import version
from typing import Annotated

import typer

from tailrace_cli.commands import broker, edge, init, jobs, publish, tail, token, top, up
from tailrace_cli.mistakes import explain_mistakes

_HELP = """Durable event fan-out: producers write to NATS JetStream, edges stream to every browser and service.

Try it, each in a terminal of its own:

[bold]tailrace up[/bold]

[bold]tailrace tail '>'[/bold]

[bold]tailrace publish orders.17 '{"state": "paid"}'[/bold]
"""

app = typer.Typer(
    name="tailrace",
    help=_HELP,
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for module in (up, broker, init, edge, publish, tail, jobs, top, token):
    app.command(module.__name__.rpartition(".")[2])(module.command)


def main() -> None:
    """Run the command that the arguments name, and exit.

    The status is 0 if all went well, 1 if not, 2 if the command was not understood, and 130 after Ctrl-C.
    """
    with explain_mistakes("tailrace"):
        app(prog_name="tailrace")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tailrace {version('tailrace-cli')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass
