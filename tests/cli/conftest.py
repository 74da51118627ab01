"""A stream with a real edge before it, and the `tailrace` command as its users run it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.command import Place, Run, Start, wait_ready
from support.broker import PATIENCE, Broker, pick_ports


@pytest.fixture
def environment() -> dict[str, str]:
    """Without what the machine that runs the tests may have set."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")} | {
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "TERM": "dumb",
    }


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    """Run `tailrace` to its end."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tailrace_cli", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment | variables,
            check=False,
        )

    return run


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start `tailrace`; it is killed at the end. Standard error goes to the file `<command>.err`."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
        with (tmp_path / f"{arguments[0]}.err").open("w") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "tailrace_cli", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
                env=environment | variables,
                cwd=tmp_path,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def place(bare_broker: Broker, run: Run, start: Start) -> Place:
    """An empty log, and an edge that is ready."""
    [port] = pick_ports(1)
    assert run("init", "--nats", bare_broker.url).returncode == 0
    start("edge", "--port", str(port), "--nats", bare_broker.url, "--name", "one")
    wait_ready(port)
    return Place(bare_broker.url, f"http://127.0.0.1:{port}")
