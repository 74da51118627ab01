import json
import subprocess
import sys

import pytest
from cli.command import Run
from support.broker import PATIENCE, Broker, read_stream


def open_publish(broker: Broker, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tailrace_cli", "publish", "a", "--nats", broker.url]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)


async def read_events(url: str) -> list[tuple[str, str, str]]:
    """Subject, type and raw data of each event."""
    events = []
    for _, subject, payload in await read_stream(url):
        text = payload.decode()
        events.append((subject, json.loads(text)["type"], text[text.index('"data":') + 7 : -1]))
    return events


async def test_one_event(run: Run, broker: Broker) -> None:
    done = run("publish", "orders.17", '{"big": 12345678901234567890123}', "--type", "paid", "--nats", broker.url)
    other = run("publish", "orders.17", "null", "--tenant", "acme", TAILRACE_NATS_URL=broker.url)
    text = run("publish", "orders.17", "as it is", "--text", "--nats", broker.url)

    assert [process.returncode for process in (done, other, text)] == [0, 0, 0]
    assert done.stdout.endswith("-1\n")
    assert await read_events(broker.url) == [
        ("events.default.orders.17", "paid", '{"big": 12345678901234567890123}'),
        ("events.acme.orders.17", "message", "null"),
        ("events.default.orders.17", "message", '"as it is"'),
    ]


async def test_lines_of_standard_input(run: Run, broker: Broker) -> None:
    lines = "".join(f'{{"n": {number}}}\n' for number in range(5000))
    done = run("publish", "many", "--nats", broker.url, stdin=lines)

    assert done.returncode == 0
    assert [int(line.rpartition("-")[2]) for line in done.stdout.splitlines()] == list(range(1, 5001))
    assert [json.loads(data)["n"] for _, _, data in await read_events(broker.url)] == list(range(5000))


async def test_lines_of_text(run: Run, broker: Broker) -> None:
    done = run("publish", "log", "--text", "--nats", broker.url, stdin='first\r\n\n"second"\nthird, without an end')

    assert done.returncode == 0
    assert [json.loads(data) for _, _, data in await read_events(broker.url)] == [
        "first",
        '"second"',
        "third, without an end",
    ]


@pytest.mark.parametrize("wrong", ["{", "x" * 70_000])
async def test_a_line_that_cannot_be_published_is_named_and_those_before_it_are_stored(
    run: Run, broker: Broker, wrong: str
) -> None:
    flags = ["--text"] if wrong != "{" else []
    done = run("publish", "a", *flags, "--nats", broker.url, stdin=f"1\n2\n{wrong}\n4\n")

    assert done.returncode == 1
    assert "line 3 of standard input" in done.stderr
    assert "shell" not in done.stderr
    assert len(done.stdout.splitlines()) == len(await read_stream(broker.url)) == 2


async def test_a_line_is_published_as_soon_as_it_comes(broker: Broker, environment: dict[str, str]) -> None:
    with open_publish(broker, environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in (1, 2, 3):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"-{number}\n")
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


async def test_ctrl_c_is_quiet(broker: Broker, environment: dict[str, str]) -> None:
    with open_publish(broker, environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("1\n")
        process.stdin.flush()
        assert process.stdout.readline()
        process.send_signal(2)
        _, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == 130
    assert err == ""
