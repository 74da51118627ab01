"""Every example runs as its README says, and its jobs are seen by `tailrace jobs`.

The examples are copied, and their addresses replaced by the test's: those of the broker, of the edge, and of the
server that some of them start.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import stamina
from support.broker import PATIENCE, Broker, pick_ports
from support.edge import EdgeProcess

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@dataclass
class Example:
    """What to expect of an example. Of two blocks of commands in its README the first one is a service.

    Attributes:
        shows: patterns, each of which is found in what the commands print.
        missing: a framework without which it cannot run.
    """

    shows: list[str]
    missing: str | None = None


EXPECTED = {
    "celery": Example(
        [
            r"users\.7\.jobs\.\S+  complete  Send mails  100.0 %  3/3 done",
            r"users\.7\.jobs\.\S+  failed  Send mails",
        ],
        "celery",
    ),
    "django": Example(
        [
            r"users\.7\.jobs\.\S+  complete  Import orders  100.0 %  50/50 done",
            r"users\.1\.jobs\.\S+  complete  Import orders  100.0 %  100/100 done",
            r"users\.1\.jobs\.\S+  complete  Export orders  100.0 %  20/20 done",
        ],
        "django",
    ),
    "fastapi": Example([r"users\.7\.jobs\.\S+  (running|complete)"]),
    "llm": Example([r"jobs\.17  complete", r"event: token", r'"finish_reason":"stop"']),
    "logging": Example([r"jobs\.report-1  complete"]),
    "scripts": Example(
        [
            r"jobs\.import-1  complete  Import  100.0 %  50/50 done",
            r"jobs\.pictures-1  complete  Resize pictures  100.0 %  40/40 done",
            r"jobs\.film-1  complete  Render a film  100.0 %  40/40 done",
            r"jobs\.index-1  complete  Index  100.0 %  4/4 done",
            r"jobs\.index-1-3  complete  Shard 3  100.0 %  25/25 done",
        ]
    ),
    "tqdm": Example([r"jobs\.\S+  complete  training  100.0 %  3/3 done"], "tqdm"),
}


@pytest.fixture
def environment(edge: EdgeProcess, broker: Broker) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("TAILRACE_", "CELERY_"))}
    return variables | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "COLUMNS": "200",
        "MAIL_SECONDS": "0.02",
        "TAILRACE_NATS_URL": broker.url,
        "TAILRACE_URL": edge.url,
    }


@pytest.fixture
def place(edge: EdgeProcess, broker: Broker, tmp_path: Path) -> Path:
    """Where `examples` stands, with the test's addresses in it."""
    [port] = pick_ports(1)
    others = shutil.ignore_patterns("__pycache__", "queue", "*.sqlite3", "angular", "react", "rxjs-page")
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=others)
    for path in (tmp_path / "examples").rglob("*.*"):
        text = path.read_text()
        for ours, theirs in {
            "nats://127.0.0.1:4222": broker.url,
            "http://127.0.0.1:8080": edge.url,
            "127.0.0.1:8000": f"127.0.0.1:{port}",
            "--port 8000": f"--port {port}",
            "runserver 8000": f"runserver {port}",
            "asyncio.sleep(0.1)": "asyncio.sleep(0.4)",  # a model that is still at it when somebody asks
        }.items():
            text = text.replace(ours, theirs)
        path.write_text(text)
    return tmp_path


def read_blocks(readme: Path) -> list[str]:
    """Return the commands of a README, block by block."""
    return re.findall(r"```sh\n(.*?)```", readme.read_text(), re.DOTALL)


@contextmanager
def serve(commands: str, place: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run commands that go on until they are stopped; those of a server are waited for."""
    log = place / "served.log"
    with log.open("wb") as out:
        shell = subprocess.Popen(
            ["sh", "-e", "-c", commands], cwd=place, env=environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        if port := re.search(r"(?:--port|runserver) (\d+)", commands):
            for attempt in stamina.retry_context(
                on=(OSError, AssertionError), attempts=None, timeout=PATIENCE, wait_max=0.2
            ):
                with attempt:
                    assert shell.poll() is None, log.read_text()
                    socket.create_connection(("127.0.0.1", int(port[1]))).close()
        yield
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def run(commands: str, place: Path, environment: dict[str, str]) -> str:
    """Return what commands print; each of them has to end well."""
    ended = subprocess.run(
        ["sh", "-e", "-c", commands], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("name", sorted(EXPECTED))
async def test_the_commands_of_the_readme(name: str, place: Path, environment: dict[str, str]) -> None:
    expected = EXPECTED[name]
    if expected.missing:
        pytest.importorskip(expected.missing)
    blocks = read_blocks(place / "examples" / name / "README.md")
    served = serve(blocks.pop(0), place, environment) if len(blocks) > 1 else nullcontext()
    with served:
        printed = run(blocks[0], place, environment)
        while not all(re.search(pattern, printed) for pattern in expected.shows):
            assert len(printed) < 200_000, f"not all of {expected.shows} in:\n{printed[-2000:]}"
            printed += run("tailrace jobs --once", place, environment)


def test_every_example_is_tested() -> None:
    """Those that are pages have their tests in tests/client_js."""
    folders = {path for path in EXAMPLES.iterdir() if path.is_dir() and not (path / "package.json").exists()}
    assert set(EXPECTED) == {path.name for path in folders if (path / "README.md").exists()}
    assert set(EXPECTED) == {path.name for path in folders}


async def test_the_lines_of_the_log_are_seen(place: Path, environment: dict[str, str], edge: EdgeProcess) -> None:
    [commands] = read_blocks(place / "examples/logging/README.md")
    run(commands, place, environment)
    while "jobs.report-1  complete" not in run("tailrace jobs --once", place, environment):
        pass  # the edge has not read the end yet
    async with httpx.AsyncClient(base_url=edge.url, timeout=PATIENCE) as client:
        answer = await client.get("/v1/default/history", params={"topic": "jobs.report-1.log", "from": "start"})

    assert [event["data"]["message"] for event in answer.json()["events"]] == [f"page {page}" for page in range(1, 8)]


async def test_django_under_wsgi(place: Path, environment: dict[str, str]) -> None:
    pytest.importorskip("django")
    readme = place / "examples/django/README.md"
    serving, asking = read_blocks(readme)
    [server] = re.findall(r"`(python manage.py runserver \d+)`", readme.read_text())
    with serve(serving.replace(serving.splitlines()[-1], server), place, environment):
        printed = run(asking.splitlines()[0], place, environment)
        while not re.search(r"users\.1\.jobs\.\S+  complete", printed):
            printed = run("tailrace jobs --once", place, environment)


async def test_the_stop_button_ends_job_and_text(place: Path, environment: dict[str, str]) -> None:
    serving, asking = read_blocks(place / "examples/llm/README.md")
    ask, watch, _ = asking.splitlines()
    readme = (place / "examples/llm/README.md").read_text()
    [stop] = re.findall(r"`(curl -X POST [^`]*cancel)`", readme)
    model = place / "examples/llm/model.py"
    model.write_text(model.read_text().replace('.split(" ")', '.split(" ") * 1000'))
    with serve(serving, place, environment):
        run(ask, place, environment)
        while "jobs.17  running" not in run("tailrace jobs --once", place, environment):
            pass
        answer = run(f"{stop}; {watch}", place, environment)
        run(ask, place, environment)  # by now the server has logged what it had to log of the first one

    assert "Traceback" not in (place / "served.log").read_text()
    assert "event: cancelled" in answer
    assert "event: complete" not in answer
