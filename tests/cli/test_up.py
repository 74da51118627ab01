"""`tailrace up`: real processes, which are killed."""

import http.client
import json
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import stamina
from cli.command import Run, Start
from support.broker import PATIENCE, pick_ports


@dataclass
class Up:
    process: subprocess.Popen[str]
    url: str
    nats: str

    @property
    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    @property
    def edges(self) -> dict[str, psutil.Process]:
        """By name."""
        lines = {child: read_command(child) for child in self.children}
        return {line[line.index("--name") + 1]: child for child, line in lines.items() if "--name" in line}


def read_command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # or nobody has waited for it yet
        return []


@pytest.fixture
def up(start: Start) -> Up:
    return start_up(start)


def start_up(start: Start, **variables: str) -> Up:
    [nats_port] = pick_ports(1)  # what 0 finds, a connection of another test may take before the broker does
    process = start("up", "--port", "0", "--nats-port", str(nats_port), "--store", "data", **variables)
    assert process.stdout is not None
    text = process.stdout.readline() + process.stdout.readline()
    url = re.search(r"http://\S+", text)
    nats = re.search(r"nats://[^;\s]+", text)
    assert url, text
    assert nats, text
    return Up(process, url[0], nats[0])


def ask_edges(url: str) -> dict[str, bool]:
    """Return the edges' names, and whether they are ready."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", "/v1/stats?cluster=true")
        return {edge["name"]: edge["ready"] for edge in json.loads(connection.getresponse().read())["edges"]}
    finally:
        connection.close()


@stamina.retry(on=(OSError, http.client.HTTPException, AssertionError), attempts=None, timeout=PATIENCE, wait_max=0.2)
def wait_for_edges(url: str) -> None:
    assert ask_edges(url) == {"edge-1": True, "edge-2": True}


@stamina.retry(on=AssertionError, attempts=None, timeout=PATIENCE, wait_max=0.2)
def wait_for_other(up: Up, name: str, pid: int) -> None:
    edges = up.edges
    assert name in edges
    assert edges[name].pid != pid


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # nobody waits for an orphan but the machine's first process
    except psutil.NoSuchProcess:
        return False


@stamina.retry(on=AssertionError, attempts=None, timeout=PATIENCE, wait_max=0.2)
def wait_for_end(processes: list[psutil.Process]) -> None:
    assert [process for process in processes if is_alive(process)] == []


def test_two_edges_answer_on_one_port(up: Up, run: Run, tmp_path: Path) -> None:
    wait_for_edges(up.url)  # one asks the other, and waits for its answer for 0.3 s

    published = run("publish", "hello", '"world"', "--nats", up.nats)
    listed = run("jobs", "--once", "--url", up.url)

    assert published.stdout.endswith("-1\n")
    assert listed.returncode == 0
    assert sorted(path.name for path in (tmp_path / "data" / "logs").iterdir()) == [
        "broker.log",
        "edge-1.log",
        "edge-2.log",
    ]


def test_how_to_get_to_another_broker_is_no_business_of_this_one(start: Start) -> None:
    """Whoever works with one in production may have all this in the environment."""
    another = {"TAILRACE_NATS_URL": "tls://nats.example", "TAILRACE_NATS_CA": "ca.pem"}
    more = {"TAILRACE_PUBLISH_NATS_URL": "tls://nats.example", "TAILRACE_PUBLISH_NATS_CREDENTIALS": "edge.creds"}
    wait_for_edges(start_up(start, **another, **more).url)


def test_the_console_may_cause_faults(up: Up) -> None:
    connection = http.client.HTTPConnection(up.url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", "/console/settings.json")
        assert json.loads(connection.getresponse().read())["faults"] is True
    finally:
        connection.close()


def test_a_killed_edge_comes_back(up: Up, tmp_path: Path) -> None:
    killed = up.edges["edge-2"]
    killed.kill()

    wait_for_other(up, "edge-2", killed.pid)
    wait_for_edges(up.url)

    assert "edge-2 was ended by SIGKILL; it is started again" in (tmp_path / "up.err").read_text()


def test_a_killed_broker_comes_back_with_its_log(up: Up, run: Run) -> None:
    first = run("publish", "a", "1", "--nats", up.nats).stdout
    [broker] = [child for child in up.children if child.name() == "nats-server"]
    broker.kill()
    broker.wait()

    second = run("publish", "a", "2", "--nats", up.nats, "--timeout", str(PATIENCE)).stdout

    assert first.partition("-")[0] == second.partition("-")[0]
    assert second.endswith("-2\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_clean_stop_leaves_no_process_and_says_so(up: Up, tmp_path: Path, number: signal.Signals) -> None:
    children = up.children
    assert len(children) == 3

    up.process.send_signal(number)

    assert up.process.wait(PATIENCE) == 0
    assert [child for child in children if child.is_running()] == []
    assert (tmp_path / "up.err").read_text().endswith("stopped\n")
    assert "killed" not in (tmp_path / "up.err").read_text()
    for name in ("edge-1", "edge-2"):
        assert "edge stopped" in (tmp_path / "data" / "logs" / f"{name}.log").read_text()
    assert "Server Exiting" in (tmp_path / "data" / "logs" / "broker.log").read_text()


def test_sigkill_leaves_no_process(up: Up) -> None:
    children = up.children
    assert len(children) == 3

    up.process.kill()
    up.process.wait()

    try:
        wait_for_end(children)
    finally:
        for child in children:
            if is_alive(child):
                child.kill()


@pytest.mark.parametrize(("option", "place"), [("--port", "url"), ("--nats-port", "nats")])
def test_a_port_in_use_is_told(up: Up, run: Run, tmp_path: Path, option: str, place: str) -> None:
    port = getattr(up, place).rpartition(":")[2]
    ports = {"--port": "0", "--nats-port": "0"} | {option: port}
    done = run("up", *(part for pair in ports.items() for part in pair), "--store", str(tmp_path / "other"))

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert f"choose another port with {option}" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_store_in_use_is_told(up: Up, run: Run, tmp_path: Path) -> None:
    done = run("up", "--port", "0", "--nats-port", "0", "--store", str(tmp_path / "data"))

    assert done.returncode == 1
    assert "another broker uses" in done.stderr


def test_an_edge_that_cannot_run_is_told(run: Run, tmp_path: Path) -> None:
    variables = {"TAILRACE_AUTH": "jwt", "TAILRACE_JWT_KEY_FILES": str(tmp_path / "none.pem")}
    done = run("up", "--port", "0", "--nats-port", "0", "--store", str(tmp_path / "data"), **variables)

    assert done.returncode == 1
    assert "ended at once" in done.stderr
    assert "none.pem" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_are_told_before_anything_is_started(run: Run, tmp_path: Path) -> None:
    done = run("up", "--port", "0", "--nats-port", "0", "--store", str(tmp_path / "data"), TAILRACE_HEARTBEAT="no")

    assert done.returncode == 2
    assert "TAILRACE_HEARTBEAT" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_misspelled_setting_is_told(start: Start, tmp_path: Path) -> None:
    [nats_port] = pick_ports(1)
    process = start("up", "--port", "0", "--nats-port", str(nats_port), "--store", "data", TAILRACE_CORS_ORIGIN="*")
    assert process.stdout is not None
    process.stdout.readline()  # the edges serve

    said = "TAILRACE_CORS_ORIGIN is no setting, and changes nothing; is it TAILRACE_CORS_ORIGINS?"
    assert said in (tmp_path / "up.err").read_text()
    assert said in (tmp_path / "data" / "logs" / "edge-1.log").read_text()
