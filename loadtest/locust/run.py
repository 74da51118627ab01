"""Runs a scenario with locust, against edges of one's own or against any others: what `make load` calls.

    PYTHONPATH=loadtest .venv/bin/python loadtest/locust/run.py --scenario steady --users 500 --time 2m

What it does not know goes to locust: `--topics 1000`, `--rate 200`, `--class-picker`...
"""

import argparse
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.contenders.packages import make_environment
from bench.errors import Unavailable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = ROOT / "docker" / "demo-requirements.txt"
"""What the image of the load test has, locust among it."""

SCENARIOS = ("steady", "dashboards", "tokens", "deploy", "producers")
SHAPES = ("steps", "spike", "soak")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run locust, and return its exit code: 0 if all was checked and nothing is wrong."""
    options, others = make_parser().parse_known_args(arguments)
    try:
        python = make_environment("locust-venv", REQUIREMENTS, install=True)
    except Unavailable as error:
        print(f"load: locust cannot be had: {error}", file=sys.stderr)
        return 3
    # Ctrl-C reaches locust, which ends in an orderly way; SIGTERM does not, and what was started is to end, too.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_file_limit()
    folder: Path = options.out
    folder.mkdir(parents=True, exist_ok=True)
    with use_edges(options.host, folder) as host:
        command = format_command(python, host, options, [*others])
        done = subprocess.run(command, env=make_variables(), check=False)
    if (folder / "report.html").exists():  # it does not, where locust did not begin
        print(f"load: the report is {folder / 'report.html'}, and the figures stand beside it", flush=True)
    return done.returncode


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of what is not locust's."""
    parser = argparse.ArgumentParser(prog="run.py", allow_abbrev=False)
    parser.add_argument(
        "--scenario", type=check_scenario, default="steady", help=f"{', '.join(SCENARIOS)}; several with commas"
    )
    parser.add_argument("--shape", choices=SHAPES, help="takes the place of --users, --spawn-rate and --time")
    parser.add_argument(
        "--host", type=check_host, help="URL of the edge or load balancer; by default edges are started here"
    )
    parser.add_argument("--users", type=int, default=500, help="clients, producers included")
    parser.add_argument("--spawn-rate", type=int, default=50, help="clients that come in a second")
    parser.add_argument("--time", default="2m", help="how long, as 90s, 2m, 8h")
    parser.add_argument("--processes", type=int, default=1, help="workers on this machine, each a core")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "load" / time.strftime("%Y-%m-%d-%H%M%S"))
    return parser


def check_scenario(text: str) -> str:
    """Return scenarios, separated by commas, as they are; each has a locustfile beside this file."""
    for name in text.split(","):
        if not (HERE / f"{name}.py").exists():
            raise argparse.ArgumentTypeError(f"{name!r} is none; there are {', '.join(SCENARIOS)}")
    return text


def check_host(url: str) -> str:
    """Return a URL as it is."""
    if not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{url!r} is no URL of an edge, like http://127.0.0.1:8080")
    return url


def format_command(python: Path, host: str, options: argparse.Namespace, others: Sequence[str]) -> list[str]:
    """Return the command that runs locust."""
    files = [HERE / f"{name}.py" for name in options.scenario.split(",")]
    command = [str(python), "-m", "locust", "--headless", "--only-summary", "--host", host]
    if options.shape:
        files.append(HERE / "shapes" / f"{options.shape}.py")
    else:
        command += ["--users", str(options.users), "--spawn-rate", str(options.spawn_rate), "--run-time", options.time]
    command += ["--locustfile", ",".join(map(str, files))]
    if options.processes > 1:
        # By default the master listens on port 5557 of all interfaces.
        port = str(find_port())
        command += ["--processes", str(options.processes), "--master-bind-host", "127.0.0.1"]
        command += ["--master-bind-port", port, "--master-host", "127.0.0.1", "--master-port", port]
    command += ["--csv", str(options.out / "load"), "--csv-full-history", "--html", str(options.out / "report.html")]
    return [*command, *others]


def make_variables() -> dict[str, str]:
    """Return the environment of locust: Tailrace itself is not installed beside it."""
    paths = [ROOT / "loadtest", ROOT / "libs" / "protocol", ROOT / "libs" / "client"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}


def find_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def raise_file_limit() -> None:
    """Let this process and its children have as many sockets as the system allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def use_edges(host: str | None, folder: Path) -> Iterator[str]:
    """Return the URL of edges; if none is given, of two that run until the end."""
    if host is not None:
        yield host
        return
    store = str(folder / "node")
    command = [sys.executable, "-m", "tailrace_cli", "up", "--port", "0", "--nats-port", "0", "--store", store]
    said = folder / "node.log"
    # A session of its own, so that Ctrl-C does not reach it.
    with said.open("w") as log:
        node = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    try:
        assert node.stdout is not None
        first = node.stdout.readline()
        if " serve " not in first:
            raise SystemExit(f"load: `tailrace up` did not start: {said.read_text().strip()}")
        yield first.rpartition(" serve ")[2].strip()
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait()


if __name__ == "__main__":
    sys.exit(main())
