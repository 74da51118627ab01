"""The demo's command line."""

import asyncio
import signal
import sysconfig
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tailrace_cli.mistakes import explain_mistakes

from tailrace_demo.demo import Options, run_demo
from tailrace_demo.display import Summary

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Whose files are packed.", show_default="Python's library"),
    ] = None,
    edges: Annotated[int, typer.Option(min=1, max=16, help="How many edges share a port.")] = 2,
    kill: Annotated[bool, typer.Option(help="Kill the edge that serves the client half-way.")] = True,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 for any that is free.")] = 0,
    keep: Annotated[
        bool | None, typer.Option(help="Leave the page up at the end, until Ctrl-C.", show_default="on a terminal")
    ] = None,
) -> None:
    """Watch real work stream through two edges, one of which is killed half-way, with nothing lost.

    A worker hashes and compresses every file of a folder, and reports through the producer library. A client follows
    it through the edges, in this terminal and on a page in the browser. At the end what the client received is
    compared with the log in the broker. The status is 0 if nothing was lost, duplicated or out of order.

    Example:  [bold]python -m tailrace_demo --folder docs --edges 3[/bold]
    """
    console = Console(highlight=False)
    options = Options(
        folder=(folder or Path(sysconfig.get_paths()["stdlib"])).resolve(),
        edges=edges,
        kill=kill,
        port=port,
        keep=console.is_terminal if keep is None else keep,
    )
    summary = asyncio.run(_run(options, console))
    if not summary.clean:
        raise typer.Exit(1)


async def _run(options: Options, console: Console) -> Summary:
    running = asyncio.create_task(run_demo(options, console))
    # Ctrl-C and SIGTERM end the demo in the same way: everything is stopped, and the folder removed.
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, running.cancel)
    try:
        return await running
    except asyncio.CancelledError:
        raise typer.Exit(130) from None


def main() -> None:
    """Run the demo, and exit."""
    with explain_mistakes("tailrace demo"):
        app(prog_name="python -m tailrace_demo")
