"""Help, version and mistakes: what every command has in common."""

import pytest
from cli.command import Run
from support.broker import Broker, pick_ports
from tailrace_client.testing import ScriptedEdge, unauthorized

COMMANDS = ["up", "broker", "init", "edge", "publish", "tail", "jobs", "top", "token"]


def test_help_lists_every_command_and_how_to_begin(run: Run) -> None:
    done = run("--help")

    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in COMMANDS)
    assert "tailrace up" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_an_example(run: Run, command: str) -> None:
    done = run(command, "--help")

    assert done.returncode == 0
    assert f"Usage: tailrace {command}" in done.stdout
    assert "Example" in done.stdout


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout == "tailrace 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "nonsense"),
        (["tail"], "TOPIC"),
        (["up", "--edges", "0"], "--edges"),
        (["init", "--max-age", "soon"], "--max-age"),
        (["init", "--max-bytes", "0"], "--max-bytes"),
        (["broker", "--port", "http"], "--port"),
        (["top", "--every", "0"], "--every"),
    ],
)
def test_what_is_not_understood_exits_2(run: Run, arguments: list[str], said: str) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["publish", "a..b", "1"], "empty token"),
        (["publish", "orders.>", "1"], "is a pattern"),
        (["publish", "a", "[1"], "not JSON"),
        (["publish", "a", "1", "--type", "No"], "not an event type"),
        (["publish", "a", "1", "--tenant", "No"], "not a tenant"),
        (["publish", "a", "1", "--nats", "http://x"], "http://x"),
        (["tail", "a.>.b"], "'>' before its end"),
        (["tail", "a", "--from", "yesterday"], "no start"),
        (["tail", "a", "--types", "a,B"], "not an event type"),
        (["tail", "a", "--url", "nats://x"], "not the URL of an edge"),
        (["jobs", "--once", "--url", "{free}"], "start one with tailrace up"),
        (["top", "--once", "--url", "{free}"], "start one with tailrace up"),
        (["top", "--url", "nats://x"], "not the URL of an edge"),
        (["init", "--nats", "nats://127.0.0.1:{port}"], "no broker answers"),
        (["publish", "a", "1", "--timeout", "0.5", "--nats", "nats://127.0.0.1:{port}"], "--nats"),
        (["broker", "--port", "{port}", "--store", "/dev/null/x"], "/dev/null"),
        (["edge", "--host", "0.0.0.0"], "loopback"),
    ],
)
def test_a_mistake_is_one_line_and_exits_1(run: Run, arguments: list[str], said: str) -> None:
    [port] = pick_ports(1)
    done = run(*(text.format(free=f"http://127.0.0.1:{port}", port=port) for text in arguments))

    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.startswith("tailrace: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["tail", "a"], ["jobs"], ["jobs", "--once"], ["top", "--once"]], ids=" ".join)
def test_who_has_no_good_token_is_told_where_to_put_one(run: Run, command: list[str]) -> None:
    with ScriptedEdge([unauthorized()] * 4) as edge:
        done = run(*command, "--url", edge.url, TAILRACE_TOKEN="bad")

    assert done.returncode == 1
    assert done.stderr.endswith("; put a token that is good into TAILRACE_TOKEN (tailrace token makes one)\n")
    assert done.stderr.count("\n") == 1


def test_more_replicas_than_brokers(run: Run, bare_broker: Broker) -> None:
    done = run("init", "--replicas", "3", "--nats", bare_broker.url)

    assert done.returncode == 1
    assert "--replicas 3 takes a cluster of as many brokers" in done.stderr
    assert done.stderr.count("\n") == 1
