"""The load test with locust: what it reports of real edges, and that it fails when something is wrong."""

import asyncio
import csv
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import yaml
from bench.contenders.packages import make_environment
from bench.errors import Unavailable
from history import Log, Stored
from hypothesis import given
from hypothesis import strategies as st
from locust.growing_log import GrowingLog  # loadtest/locust; locust itself is not installed here
from support.broker import PATIENCE, Broker, pick_ports
from support.edge import EdgeProcess
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]
LOCUST = ROOT / "loadtest" / "locust"

pytestmark = pytest.mark.timeout(600)
"""The first run makes an environment for locust."""


@pytest.fixture(scope="session")
def locust() -> None:
    """Make locust's environment once, whichever worker of xdist comes first."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "locust-venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            make_environment("locust-venv", ROOT / "docker" / "demo-requirements.txt", install=True)
        except Unavailable as error:
            reason = f"locust cannot be installed: {error}"
            if os.environ.get("CI", "") in ("", "0", "false"):
                pytest.skip(reason)
            raise AssertionError(reason) from error


needs_locust = pytest.mark.usefixtures("locust")

TOPICS = ["a", "a.b", "a.c", "b.b", "b.b.c"]
PATTERNS = [*TOPICS, "a.*", "*.b", "a.>", ">"]


@given(
    topics=st.lists(st.sampled_from(TOPICS), min_size=1),
    patterns=st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3, unique=True).map(tuple),
    asked=st.integers(0, 20),
    held=st.integers(1, 20),
    removed=st.integers(0, 20),
)
def test_a_log_that_grows_is_as_one_that_was_read_at_once(
    topics: list[str], patterns: tuple[str, ...], asked: int, held: int, removed: int
) -> None:
    events = [Stored(2 * number, topic) for number, topic in enumerate(topics, 1)]
    gone = [Stored(2 * removed + 1, "a.b")]
    whole = Log("e", events, removed=gone)
    growing = GrowingLog("e")
    growing.add(events[:asked])
    growing.select(patterns, 0, 1000)  # from here on it is kept up
    growing.add(events[asked:])
    growing.add_removed(gone[0])
    assert growing.last == whole.last
    assert list(growing.select(patterns, 3, 30)) == list(whole.select(patterns, 3, 30))
    for sequence in range(100):
        assert (growing.find(sequence), growing.holds(sequence)) == (whole.find(sequence), whole.holds(sequence))

    growing.trim(held)
    assert list(growing.select(patterns, held - 1, 1000)) == list(whole.select(patterns, held - 1, 1000))
    for until in range(held, 50):
        assert list(growing.select_newest(patterns, until)) == list(whole.select_newest(patterns, until))
    growing.add([Stored(1001, "a.b")])
    assert 1001 in growing.select((">",), held - 1, 1001)


class Run:
    """One call of loadtest/locust/run.py, as `make load` does it.

    Attributes:
        said: what it printed, once it has ended.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self._arguments = ["--out", str(folder), "--audit-every", "1", *arguments]
        self._process: asyncio.subprocess.Process | None = None
        self.said = ""

    async def finish(self) -> int:
        environment = os.environ | {"PYTHONPATH": str(ROOT / "loadtest")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(LOCUST / "run.py"), *self._arguments, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await self._process.communicate()
        self.said = output.decode()
        assert self._process.returncode is not None
        return self._process.returncode

    async def finish_after(self, condition: Callable[[], bool]) -> int:
        """Let it run until a condition holds, however long that takes here, and end it in an orderly way."""
        running = asyncio.create_task(self.finish())
        try:
            await wait_until(lambda: running.done() or condition())
        finally:
            if self._process is not None and not running.done():
                children = psutil.Process(self._process.pid).children()
                next(child for child in children if "locust" in child.cmdline()).terminate()
        return await running

    @property
    def verdict(self) -> str:
        """The line below locust's tables."""
        found = re.search("^lost .*$", self.said, re.MULTILINE)
        assert found, self.said
        return found[0]

    def count(self, label: str, name: str) -> int:
        """Return how often the CSV has something, which is written every 10 s and empty in between."""
        figures = self.folder / "load_stats.csv"
        if not figures.exists():
            return 0
        with figures.open(newline="") as file:
            rows = {(row["Type"], row["Name"]): int(row["Request Count"]) for row in csv.DictReader(file)}
        return rows.get((label, name), 0)


def count_streams(edge: EdgeProcess) -> int:
    connections = psutil.Process(edge.pid).net_connections()
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == edge.port for each in connections)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenario", "steady,nope"], "'nope' is none; there are steady, dashboards, tokens, deploy, producers"),
        (["--host", "localhost:8080"], "'localhost:8080' is no URL of an edge, like http://127.0.0.1:8080"),
        (["--shape", "wave"], "'wave'"),
    ],
)
def test_what_it_cannot_do_it_tells_before_anything_is_started(arguments: list[str], told: str) -> None:
    command = [sys.executable, str(LOCUST / "run.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "loadtest")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert done.returncode == 2
    assert told in done.stderr.splitlines()[-1]


@needs_locust
async def test_nothing_is_lost_when_an_edge_is_killed(broker: Broker, tmp_path: Path) -> None:
    [port] = pick_ports(1)
    run = Run(
        tmp_path / "load", "--host", f"http://127.0.0.1:{port}", "--users", "40", "--spawn-rate", "40",
        "--time", "10m", "--topics", "10", "--processes", "2",
    )  # fmt: skip

    def seen() -> bool:
        """Do what the run is about, and return whether the workers have told of all that comes of it."""
        if first.running and count_streams(first) >= 10:
            first.kill()
        told = all(run.count("watcher", name) for name in ("event", "first event", "resume"))
        return (
            not first.running
            and told
            and run.count("watcher", "connect") >= 39
            and run.count("producer", "publish") > 0
        )

    async with (
        EdgeProcess(broker.url, tmp_path / "a", name="a", port=port, reuse_port=True) as first,
        EdgeProcess(broker.url, tmp_path / "b", name="b", port=port, reuse_port=True),
    ):
        assert await run.finish_after(seen) == 0, run.said
    assert run.verdict.startswith("lost 0, duplicated 0, out of order 0; 39 clients got "), run.said
    assert "Traceback" not in run.said
    received, expected, reconnects = re.findall(r"(\d+) (?:events|reconnects)|of (\d+)", run.verdict)
    assert received[0] == expected[1] != "0"
    # Of what the workers report last, the CSV may lack some.
    assert 0 < run.count("watcher", "resume") <= int(reconnects[0])
    assert 0 < run.count("watcher", "first event") <= 39 <= run.count("watcher", "connect")
    assert 0 < run.count("watcher", "event") <= int(received[0])
    assert run.count("producer", "publish") > 0


@needs_locust
async def test_without_a_host_it_starts_edges_of_its_own(tmp_path: Path) -> None:
    run = Run(tmp_path, "--users", "6", "--spawn-rate", "6", "--time", "10s", "--topics", "1")
    assert await run.finish() == 0, run.said
    assert run.verdict.startswith("lost 0, duplicated 0, out of order 0; 5 clients got ")
    assert "SteadyWatcher" in (run.folder / "report.html").read_text()
    assert (tmp_path / "node" / "logs").is_dir()


class Meddling(NamedTuple):
    """What a proxy makes of the frames `a` and `b` of one stream, once."""

    name: str
    verdict: str

    def meddle(self, a: bytes, b: bytes) -> bytes:
        return {"drop": b, "double": a + a + b, "swap": b + a}[self.name]


@asynccontextmanager
async def proxy(port: int, meddling: Meddling, done: asyncio.Event) -> AsyncIterator[str]:
    """Run a proxy that meddles with one stream, sets `done` then, and return its URL."""
    to_do = [meddling]

    async def serve(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        edge, requests = await asyncio.open_connection("127.0.0.1", port)
        head = await client.readuntil(b"\r\n\r\n")
        requests.write(head)
        upwards = asyncio.create_task(pipe(client, requests))
        try:
            if head.startswith(b"GET /v1/default/events?"):
                await meddle(edge, answers)
        except asyncio.IncompleteReadError:
            pass  # the client went away before
        await pipe(edge, answers)
        await upwards

    async def meddle(edge: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        for _ in range(3):  # the head with the first control event, and two others
            answers.write(await edge.readuntil(b"\n\n"))
        if to_do:
            meddling = to_do.pop()
            answers.write(meddling.meddle(await edge.readuntil(b"\n\n"), await edge.readuntil(b"\n\n")))
            done.set()

    async def pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Pass on what comes; when one side is gone, leave the other."""
        try:
            while data := await source.read(65536):
                target.write(data)
        except ConnectionError:
            pass
        target.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "meddling",
    [
        Meddling("drop", "lost 1, duplicated 0, out of order 0; "),
        Meddling("double", "lost 0, duplicated 1, out of order 0; "),
        Meddling("swap", "lost 0, duplicated 0, out of order 1; "),
    ],
    ids=lambda meddling: meddling.name,
)
@needs_locust
async def test_a_run_in_which_something_went_wrong_fails(edge: EdgeProcess, tmp_path: Path, meddling: Meddling) -> None:
    done = asyncio.Event()
    async with proxy(edge.port, meddling, done) as url:
        run = Run(
            tmp_path / "load", "--host", url, "--users", "6", "--spawn-rate", "6", "--time", "10m", "--topics", "1"
        )
        assert await run.finish_after(done.is_set) == 1, run.said
    assert run.verdict.startswith(meddling.verdict), run.said
    [kind] = [name for name in ("lost", "duplicated", "out of order") if f"{name} 1" in meddling.verdict]
    assert f": {kind}: event " in run.said
    assert kind in (run.folder / "load_failures.csv").read_text()


@needs_locust
async def test_a_run_that_checks_nothing_fails(tmp_path: Path) -> None:
    attempts = 0

    async def refuse(_: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        answers.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        run = Run(tmp_path, "--host", host, "--users", "2", "--spawn-rate", "2", "--time", "10m", "--settle", "1")
        # Of two users: so one has failed before.
        assert await run.finish_after(lambda: attempts > 2) == 1, run.said
    assert "no client got any event" in run.said
    assert run.count("watcher", "connect") > 0


@needs_locust
async def test_master_and_workers_run_as_the_manifests_start_them(edge: EdgeProcess) -> None:
    [port, page] = pick_ports(2)
    substitutes = {
        "--host": edge.url, "--expect-workers": "2", "--users": "9", "--run-time": "10s", "--topics": "2",
        "--rate": "20", "--autoquit": "1", "--master-host": "127.0.0.1",
    }  # fmt: skip
    master = read_arguments("master", substitutes)
    assert {option.partition("=")[0] for option in master} >= substitutes.keys() - {"--master-host"}
    worker = [*read_arguments("worker", substitutes), f"--master-port={port}"]
    said, *_ = await asyncio.gather(
        run_locust(*master, f"--master-bind-port={port}", "--master-bind-host=127.0.0.1", f"--web-port={page}"),
        run_locust(*worker),
        run_locust(*worker),
    )
    # Once when the run ended, for the page goes on; and once at the end.
    assert said.count("lost 0, duplicated 0, out of order 0; 8 clients got ") == 2, said


def read_arguments(name: str, substitutes: dict[str, str]) -> list[str]:
    """Return locust's arguments in the manifest of a Job, as they are on this machine."""
    manifest = yaml.safe_load((ROOT / "k8s" / "overlays" / "loadtest" / f"{name}-job.yaml").read_text())
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "locust"]
    options = [argument.partition("=") for argument in container["args"]]
    arguments = [name + equals + substitutes.get(name, value) for name, equals, value in options]
    return [argument.replace("/opt/loadtest", str(ROOT / "loadtest")) for argument in arguments]


async def run_locust(*arguments: str) -> str:
    """Run it to its end, which has to be good, and return what it said."""
    paths = [ROOT / "loadtest", ROOT / "libs" / "protocol", ROOT / "libs" / "client"]
    process = await asyncio.create_subprocess_exec(
        ROOT / "build" / "locust-venv" / "bin" / "python", "-m", "locust", *arguments,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()
