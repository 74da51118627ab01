"""`tailrace top`: what the table makes of answers, and real edges that are killed."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from cli.command import Run, Start, end_on_terminal, wait_ready
from rich.cells import cell_len
from rich.console import Console
from support.broker import PATIENCE, Broker, pick_ports
from tailrace_cli.edge_table import GONE_SHOWN, EdgeTable, Rates, format_edge, format_short, format_total, format_uptime
from tailrace_edge.stats import EdgeStats
from tailrace_producer import SyncProducer

QUIET = EdgeStats(
    name="one",
    ready=True,
    uptime=100,
    epoch="0123abcd",
    first=1,
    head=1000,
    lag=0,
    tail_start=1,
    tail_events=1000,
    tail_bytes=123_456,
    connections=12,
    live=10,
    behind=2,
    events=1000,
    deliveries=5000,
    bytes=10_000_000,
    replays={},
    consumers=1,
    closes={"gone": 7},
)
LATER = msgspec.structs.replace(
    QUIET, uptime=102, events=1100, deliveries=6000, bytes=30_000_000, closes={"gone": 9, "drain": 1}
)
HUGE = msgspec.structs.replace(
    QUIET,
    ready=False,
    uptime=99 * 86400,
    lag=123_456_789,
    tail_bytes=134_217_728,
    connections=112_233,
    live=99_901,
    behind=12_332,
    events=10**9,
    deliveries=10**9,
    bytes=10**13,
    closes={"drain": 123, "gone": 45678, "max_age": 99},
)


def rename(stats: EdgeStats, name: str) -> EdgeStats:
    return msgspec.structs.replace(stats, name=name)


def make_table(*answers: list[EdgeStats], every: float = 2) -> EdgeTable:
    table = EdgeTable(0)
    for number, edges in enumerate(answers):
        table.take(edges, number * every)
    return table


def render(table: EdgeTable, width: int, limit: int | None = None) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table.render(limit=limit))
    return capture.get().splitlines()


def test_rates_are_differences_between_two_answers() -> None:
    table = make_table([QUIET])
    assert table.read()[0].rates is None
    assert table.sum().rates is None

    table.take([LATER], 2)

    assert table.read()[0].rates == Rates(events=50, deliveries=500, bytes=10_000_000)


def test_the_total_is_the_sum_but_for_what_every_edge_reads() -> None:
    slower = msgspec.structs.replace(LATER, name="two", ready=False, events=1080)
    total = make_table([QUIET, rename(QUIET, "two")], [LATER, slower]).sum()

    assert (total.edges, total.ready, total.connections, total.live, total.behind) == (2, 1, 24, 20, 4)
    assert total.rates == Rates(events=50, deliveries=1000, bytes=20_000_000)
    assert total.closed == {"gone": 4, "drain": 2}


def test_closes_count_from_the_start_of_the_table() -> None:
    table = make_table([QUIET])
    assert table.read()[0].closed == {}

    table.take([LATER, msgspec.structs.replace(QUIET, name="new", uptime=1)], 2)

    assert [edge.closed for edge in table.read()] == [{"gone": 7}, {"gone": 2, "drain": 1}]


def test_an_edge_started_anew_under_its_name_begins_at_0() -> None:
    anew = msgspec.structs.replace(QUIET, uptime=1, events=30, deliveries=0, bytes=0, closes={"gone": 1})
    table = make_table([QUIET], [LATER], [anew])
    [edge] = table.read()
    assert edge.rates is None
    assert edge.closed == {"gone": 3, "drain": 1}

    table.take([msgspec.structs.replace(anew, uptime=3, events=50)], 6)

    assert table.read()[0].rates == Rates(events=10, deliveries=0, bytes=0)


def test_an_edge_that_does_not_answer_is_gone_then_dropped() -> None:
    two = rename(QUIET, "two")
    table = make_table([QUIET, two], [LATER, rename(LATER, "two")])

    table.take([LATER], 60)  # however long nobody asked, it is shown once
    assert [(edge.stats.name, edge.state, edge.gone) for edge in table.read()] == [
        ("one", "yes", None),
        ("two", "gone", 0),
    ]
    assert table.read()[1].rates is None
    assert table.sum().connections == 12
    table.take([LATER], 60 + GONE_SHOWN)
    assert [edge.gone for edge in table.read()] == [None, GONE_SHOWN]

    table.take([LATER], 61 + GONE_SHOWN)

    assert [edge.stats.name for edge in table.read()] == ["one"]
    assert table.sum().closed == {"gone": 4, "drain": 2}


def test_an_edge_that_was_missed_once_is_measured_over_the_whole_time() -> None:
    table = make_table([QUIET], [])
    assert table.read()[0].gone == 0

    table.take([LATER], 4)

    [edge] = table.read()
    assert edge.gone is None
    assert edge.rates == Rates(events=25, deliveries=250, bytes=5_000_000)
    assert edge.closed == {"gone": 2, "drain": 1}


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_it_fits_the_terminal(width: int) -> None:
    names = [f"tailrace-edge-7d9f8b6c5-{end}" for end in ("x2k4p", "q9m8z")]
    more = msgspec.structs.replace(
        HUGE, events=10**9 + 246_802, deliveries=2 * 10**9, bytes=2 * 10**13, closes={"gone": 99999, "max_age": 100}
    )
    lines = render(
        make_table([rename(HUGE, name) for name in names], [rename(more, name) for name in names]), width=width
    )

    assert max(map(cell_len, lines)) <= width
    text = "\n".join(lines)
    for part in ("x2k4p", "q9m8z", "no", "99.9k/12.3k", "123k", "500M", "5.00M", "123M", "134M", "99d", "0/2"):
        assert part in text, text
    assert "closed" in text
    assert "gone 108642" in " ".join(text.split())
    if width == 60:
        assert len(lines) == 5


def test_what_does_not_fit_is_counted() -> None:
    lines = render(make_table([rename(QUIET, f"edge-{number}") for number in range(5)]), width=60, limit=3)

    assert [line.split()[0] for line in lines] == ["edge", "edge-0", "edge-1", "edge-2", "total", "and"]
    assert "and 2 more" in lines[-1]
    assert "5/5" in lines[-2]


def test_why_no_edge_answers_is_shown() -> None:
    table = make_table([QUIET])
    table.take([], 1, "no edge answers at http://x")

    lines = render(table, width=60)

    assert re.match(r"one +gone( +-){7}", lines[1])
    assert lines[-1] == "no edge answers at http://x"


def test_lines_say_the_same() -> None:
    table = make_table([QUIET, rename(QUIET, "two")], [LATER])
    one, two = table.read()

    assert format_edge(one) == (
        "one  ready  10/2 live/behind  50 events/s  500 deliveries/s  10 MB/s  lag 0  tail 123k  up 1m"
        "  closed drain 1, gone 2"
    )
    assert format_edge(two) == "two  gone"
    assert format_total(table.sum()) == (
        "total  1/1 ready  10/2 live/behind  50 events/s  500 deliveries/s  10 MB/s  closed drain 1, gone 2"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *[(0, "0"), (0.25, "0.25"), (12.34, "12.3"), (99.97, "100"), (999, "999"), (999.6, "1.00k"), (12_345, "12.3k")],
        *[(999_499, "999k"), (999_500, "1.00M"), (1.2e9, "1.20G"), (3.456e13, "34.6T")],
    ],
)
def test_numbers_are_short(number: float, text: str) -> None:
    assert format_short(number) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200_000, "2d")])
def test_uptimes_are_short(seconds: float, text: str) -> None:
    assert format_uptime(seconds) == text


class Pair(NamedTuple):
    nats: str
    urls: list[str]
    processes: list[subprocess.Popen[str]]


@pytest.fixture
def pair(bare_broker: Broker, run: Run, start: Start) -> Pair:
    """Two edges, `one` and `two`."""
    ports = pick_ports(2)
    assert run("init", "--nats", bare_broker.url).returncode == 0
    processes = [
        start("edge", "--port", str(port), "--nats", bare_broker.url, "--name", name)
        for port, name in zip(ports, ("one", "two"), strict=True)
    ]
    for port in ports:
        wait_ready(port)
    return Pair(bare_broker.url, [f"http://127.0.0.1:{port}" for port in ports], processes)


Told = dict[str, Any]


def read_until(top: subprocess.Popen[str], condition: Callable[[Told], bool]) -> Told:
    """Return the first object that fulfils a condition."""
    assert top.stdout is not None
    while line := top.stdout.readline():
        told: Told = json.loads(line)
        if condition(told):
            return told
    raise AssertionError("it ended")


def list_states(told: Told) -> dict[str, bool]:
    """Return the edges' names, and whether they answered."""
    return {edge["stats"]["name"]: edge["gone"] is None for edge in told["edges"]}


BOTH = {"one": True, "two": True}


def test_once_prints_and_exits(pair: Pair, run: Run) -> None:
    [free] = pick_ports(1)
    urls = ("--url", f"http://127.0.0.1:{free}", "--url", pair.urls[0])

    told = run("top", "--once", "--json", "--every", "0.1", *urls)
    lines = run("top", "--once", "--every", "0.1", *urls).stdout.splitlines()

    assert told.returncode == 0
    assert told.stdout.count("\n") == 1
    [one] = [edge for edge in json.loads(told.stdout)["edges"] if edge["stats"]["name"] == "one"]
    assert one["stats"]["ready"] is True
    assert one["rates"] == {"events": 0, "deliveries": 0, "bytes": 0}
    assert any(re.match(r"\d\d:\d\d:\d\d  one  ready  0/0 live/behind  0 events/s", line) for line in lines)
    assert "  total  " in lines[-1]


def test_both_edges_are_shown_and_a_killed_one_is_gone(pair: Pair, start: Start) -> None:
    top = start("top", "--json", "--every", "0.1", "--url", pair.urls[0])
    assert read_until(top, lambda told: list_states(told) == BOTH)["total"]["edges"] == 2

    pair.processes[1].kill()
    told = read_until(top, lambda told: list_states(told) == {"one": True, "two": False})

    assert told["total"]["edges"] == 1
    assert told["problem"] is None
    top.send_signal(signal.SIGINT)
    assert top.wait(PATIENCE) == 130


def test_when_the_edge_that_was_asked_is_killed_another_is(pair: Pair, start: Start) -> None:
    top = start("top", "--json", "--every", "0.1", "--url", pair.urls[0], "--url", pair.urls[1])
    read_until(top, lambda told: list_states(told) == BOTH)

    pair.processes[0].kill()
    told = read_until(top, lambda told: list_states(told) == {"one": False, "two": True})

    assert told["problem"] is None


def test_when_no_edge_answers_any_more_it_goes_on(pair: Pair, start: Start) -> None:
    top = start("top", "--json", "--every", "0.1", "--url", pair.urls[0])
    read_until(top, lambda told: list_states(told) == BOTH)

    pair.processes[0].kill()
    told = read_until(top, lambda told: told["problem"] is not None)
    assert f"no edge answers at {pair.urls[0]}" in told["problem"]
    assert list_states(told) == {"one": False, "two": False}
    port = pair.urls[0].rpartition(":")[2]
    start("edge", "--port", port, "--nats", pair.nats, "--name", "one")

    told = read_until(top, lambda told: list_states(told) == BOTH)

    assert told["problem"] is None


def test_it_tells_what_the_edges_do(pair: Pair, start: Start) -> None:
    top = start("top", "--json", "--every", "0.1", "--url", pair.urls[0])
    tail = start("tail", ">", "--url", pair.urls[1])
    told = read_until(top, lambda told: told["total"]["connections"] == 1)
    assert [edge["stats"]["name"] for edge in told["edges"] if edge["stats"]["connections"]] == ["two"]

    with SyncProducer(pair.nats) as producer:

        def is_delivered(told: Told) -> bool:
            producer.publish("a", 1)
            producer.flush()
            rates = told["total"]["rates"]
            return rates is not None and bool(rates["events"] and rates["deliveries"] and rates["bytes"])

        read_until(top, is_delivered)
    tail.kill()

    told = read_until(top, lambda told: bool(told["total"]["closed"]))
    assert told["total"]["closed"] == {"gone": 1}
    assert {edge["stats"]["name"]: edge["closed"] for edge in told["edges"]}["two"] == {"gone": 1}


def wait_for(terminal: int, pattern: str) -> str:
    """Return what was written to a terminal, without styles and moves of the cursor, once it matches."""
    written = b""
    while True:
        written += os.read(terminal, 65536)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode(errors="ignore"))
        if re.search(pattern, shown):
            return shown


def test_on_a_terminal_there_is_a_live_table(pair: Pair, environment: dict[str, str]) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tailrace_cli", "top", "--every", "0.1", "--url", pair.urls[0]]
    with subprocess.Popen(command, stdout=slave, env=environment | {"TERM": "xterm", "COLUMNS": "60"}) as top:
        os.close(slave)
        shown = wait_for(master, r"one +yes +0/0 .*\s+two +yes +0/0 .*\s+total +2/2 ")
        pair.processes[1].kill()
        shown += wait_for(master, r"one +yes +0/0 .*\s+two +gone .*\s+total +1/1 ")
        assert end_on_terminal(top, master) == 130
    os.close(master)

    assert "Traceback" not in shown
