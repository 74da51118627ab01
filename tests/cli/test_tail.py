import json
import signal
import subprocess
from pathlib import Path

import pytest
import stamina
from cli.command import Place, Run, Start, wait_ready
from support.broker import PATIENCE, Broker, connect, pick_ports, request

PAYLOAD = '{"state": "paid"}'


@stamina.retry(on=AssertionError, attempts=None, timeout=PATIENCE, wait_max=0.2)
def wait_for_text(path: Path, text: str) -> None:
    assert text in path.read_text()


def read_lines(process: subprocess.Popen[str], number: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(number)]


def test_lines_for_people(place: Place, run: Run, start: Start) -> None:
    run("publish", "orders.17", PAYLOAD, "--type", "paid", "--nats", place.nats)
    run("publish", "other", "1", "--nats", place.nats)
    run("publish", "orders.18", '"Grüße"', "--nats", place.nats)
    tail = start("tail", "orders.>", "--from", "start", "--url", place.url)

    first, second = read_lines(tail, 2)

    assert first.split("  ", 1)[1] == 'orders.17  paid  {"state":"paid"}\n'
    assert second.split("  ", 1)[1] == 'orders.18  message  "Grüße"\n'


def test_lines_for_programs(place: Place, run: Run, start: Start) -> None:
    published = run("publish", "orders.17", PAYLOAD, "--type", "paid", "--nats", place.nats).stdout.strip()
    run("publish", "orders.17", "2", "--type", "other", "--nats", place.nats)
    run("publish", "orders.17", "3", "--type", "paid", "--nats", place.nats)
    tail = start("tail", "orders.17", "--from", "start", "--types", "paid", "--json", "--url", place.url)

    first, second = (json.loads(line) for line in read_lines(tail, 2))

    assert list(first) == ["id", "topic", "type", "time", "data"]
    assert (first["id"], first["topic"], first["type"]) == (published, "orders.17", "paid")
    assert first["data"] == {"state": "paid"}
    assert second["data"] == 3


def test_ctrl_c_is_quiet(place: Place, start: Start, tmp_path: Path) -> None:
    tail = start("tail", "a", "--url", place.url)
    wait_for_text(tmp_path / "tail.err", "connected at one\n")

    tail.send_signal(signal.SIGINT)

    assert tail.wait(PATIENCE) == 130
    assert (tmp_path / "tail.err").read_text() == "connected at one\n"


def test_a_reader_that_leaves_is_no_failure_to_talk_about(place: Place, run: Run, start: Start, tmp_path: Path) -> None:
    run("publish", "a", "1", "--nats", place.nats)
    tail = start("tail", "a", "--from", "start", "--url", place.url)
    read_lines(tail, 1)
    assert tail.stdout is not None
    tail.stdout.close()
    tail.stdout = None

    run("publish", "a", "2", "--nats", place.nats)

    assert tail.wait(PATIENCE) == 1
    assert (tmp_path / "tail.err").read_text() == "connected at one\n"


async def test_it_resumes_where_it_was(broker: Broker, run: Run, start: Start, tmp_path: Path) -> None:
    [port] = pick_ports(1)
    options = ["edge", "--port", str(port), "--nats", broker.url, "--retry", "0.1"]
    edge = start(*options, "--name", "one")
    wait_ready(port)
    tail = start("tail", "a", "--from", "start", "--url", f"http://127.0.0.1:{port}")
    run("publish", "a", "1", "--nats", broker.url)
    before = read_lines(tail, 1)
    edge.kill()
    edge.wait()
    wait_for_text(tmp_path / "tail.err", "offline")
    run("publish", "a", "2", "--nats", broker.url)

    start(*options, "--name", "two")
    run("publish", "a", "3", "--nats", broker.url)

    assert [line.split()[-1] for line in before + read_lines(tail, 2)] == ["1", "2", "3"]
    assert "resumed at two" in (tmp_path / "tail.err").read_text()
    assert f"(http://127.0.0.1:{port}); next attempt in" in (tmp_path / "tail.err").read_text()


@pytest.mark.parametrize(("last", "said"), [("{epoch}-1", "gap: "), ("{epoch}-99", "reset: ")])
async def test_what_is_gone_is_said(
    broker: Broker, run: Run, start: Start, tmp_path: Path, last: str, said: str
) -> None:
    event_id = run("publish", "a", "--nats", broker.url, stdin="1\n2\n3\n").stdout.split()[-1]
    async with await connect(broker.url) as client:
        await request(client, "STREAM.PURGE.EVENTS", {"seq": 3})
    # An edge that ran before would still have in its memory what is gone.
    [port] = pick_ports(1)
    start("edge", "--port", str(port), "--nats", broker.url)
    wait_ready(port)

    start("tail", "a", "--from", last.format(epoch=event_id.partition("-")[0]), "--url", f"http://127.0.0.1:{port}")

    wait_for_text(tmp_path / "tail.err", said)
