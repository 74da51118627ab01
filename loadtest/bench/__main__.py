"""`python -m bench`: run scenarios, and leave raw results, plots and a report in build/bench/<time>/."""

import argparse
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bench import report, scenarios
from bench.bench import Bench
from bench.contenders import ALL, Contender
from bench.errors import BenchError, Unavailable
from bench.machine import describe_machine, find_cores, read_load
from bench.rows import Row
from bench.runs import Run
from bench.watchers import BUILD, build


def main() -> None:
    """Run what the command line asks for. Exits with 0 when everything ran, 1 when something could not be measured."""
    options = _parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started is ended
    folder = options.out or BUILD / "bench" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        build("loadgen")
    except BenchError as error:
        sys.exit(f"bench: {error}")
    contenders, missing = prepare(install=not options.short)
    bench = Bench(find_cores(), folder, options.short, tuple(contenders))
    began = time.monotonic()
    run = Run(
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        short=options.short,
        machine=describe_machine() | {"load before": f"{read_load():.2f}"},
        cores=bench.cores.describe(),
        versions={contender.title: contender.find_version() for contender in contenders},
        missing=missing,
        titles={kind.name: kind.title for kind in ALL},
        rows=run_all(bench, options.only),
    )
    (folder / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1))
    path = report.write(run, folder)
    print(f"bench: done in {time.monotonic() - began:.0f} s; the report is {path}", flush=True)
    sys.exit(1 if any(row.error for row in run.rows) else 0)


def prepare(*, install: bool) -> tuple[list[Contender], dict[str, str]]:
    """Return the contenders that can be had here, and for each of the others why not, by title."""
    ready: list[Contender] = []
    missing: dict[str, str] = {}
    for kind in ALL:
        contender = kind()
        try:
            contender.prepare(install=install)
        except Unavailable as error:
            missing[contender.title] = str(error)
            print(f"bench: without {contender.title}: {error}", flush=True)
        else:
            ready.append(contender)
    return ready, missing


def run_all(bench: Bench, names: list[str]) -> list[Row]:
    """Run scenarios, telling of each row as it comes."""
    rows = []
    for name in names:
        for row in scenarios.ALL[name](bench):
            rows.append(row)
            print(report.format_line(row), flush=True)
    return rows


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--only",
        type=_parse_names,
        default=list(scenarios.ALL),
        help=f"scenarios, separated by commas, of {', '.join(scenarios.ALL)}",
    )
    parser.add_argument("--short", action="store_true", help="tiny sizes, nothing is installed: does it all work?")
    parser.add_argument("--out", type=Path, help="folder of the results; build/bench/<time> by default")
    return parser.parse_args()


def _parse_names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()] or list(scenarios.ALL)
    unknown = [name for name in names if name not in scenarios.ALL]
    if unknown:
        raise argparse.ArgumentTypeError(f"no scenario {', '.join(unknown)}; there are {', '.join(scenarios.ALL)}")
    return names


if __name__ == "__main__":
    main()
