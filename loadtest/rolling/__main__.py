"""`python -m rolling`: roll edges under load, and leave results, a plot and a report in build/rolling/<time>/."""

import argparse
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from bench.errors import BenchError
from bench.watchers import BUILD

from rolling import balancer, plot, report
from rolling.run import Run
from rolling.stage import Options, perform

_DEFAULT = Options()
_SHORT = Options(clients=60, drain_window=1.0, calm=0.5)


def main() -> None:
    """Make a run. Exits with 0 when nothing was lost and nobody hung, 1 otherwise."""
    arguments = _parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    folder: Path = arguments.out or BUILD / "rolling" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        balancer.prepare(install=not arguments.short)
        run = perform(_choose(arguments), folder)
    except BenchError as error:
        sys.exit(f"rolling: {error}")
    path = write(run, folder)
    print(report.format_table(run))
    print(f"rolling: {'done' if run.clean else 'FAILED'}; the report is {path}", flush=True)
    sys.exit(0 if run.clean else 1)


def write(run: Run, folder: Path) -> Path:
    """Write results, plot and report, and return the report's path."""
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    picture = folder / "reconnects.svg"
    picture.write_text(plot.draw(run))
    path = folder / "report.md"
    path.write_text(report.format_markdown(run, picture.name))
    return path


def _choose(arguments: argparse.Namespace) -> Options:
    options = _SHORT if arguments.short else _DEFAULT
    given = {name: getattr(arguments, name) for name in ("clients", "drain_window")}
    return options._replace(**{name: value for name, value in given.items() if value is not None})


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rolling", description=__doc__)
    parser.add_argument("--clients", type=_parse_positive, help=f"that watch; {_DEFAULT.clients} by default")
    parser.add_argument(
        "--drain-window",
        type=_parse_seconds,
        metavar="SECONDS",
        help=f"of each edge; {_DEFAULT.drain_window:g} by default",
    )
    parser.add_argument(
        "--short", action="store_true", help=f"{_SHORT.clients} clients, nothing is installed: does it all work?"
    )
    parser.add_argument("--out", type=Path, help="folder of the results; build/rolling/<time> by default")
    return parser.parse_args()


def _parse_positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _parse_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds, 0 or more")
    return seconds


if __name__ == "__main__":
    main()
