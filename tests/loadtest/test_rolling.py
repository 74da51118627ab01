"""The rolling update: in its short form through a real HAProxy, and what its report makes of other outcomes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from bench.errors import Unavailable
from rolling import __main__ as command
from rolling import balancer, plot, report
from rolling.audience import ANNOUNCEMENTS, END, choose_patterns
from rolling.run import Phase, Reconnect, Run, spread

LOADTEST = Path(__file__).parents[2] / "loadtest"


def require_haproxy() -> None:
    try:
        balancer.prepare(install=False)
    except Unavailable as error:
        if os.environ.get("CI", "") in ("", "0", "false"):
            pytest.skip(str(error))
        pytest.fail(str(error))


def call(*arguments: str) -> tuple[int, str]:
    """Return exit status and output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rolling", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(LOADTEST), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=570)
    except subprocess.TimeoutExpired:
        process.terminate()  # so that it ends what it has started
        process.communicate()
        raise
    return process.returncode, output


@pytest.mark.timeout(600)
def test_edges_are_rolled_and_killed_and_nobody_misses_anything(tmp_path: Path) -> None:
    require_haproxy()
    status, output = call("--short", "--out", str(tmp_path))
    assert status == 0, output
    run = msgspec.json.decode((tmp_path / "results.json").read_bytes(), type=Run)

    steps = [(phase.what, phase.edge, phase.status) for phase in run.phases]
    assert steps == [("drain", f"edge-{number}", 0) for number in range(3)] + [("kill", "edge-0", -9)]
    assert all(phase.began <= phase.ended <= phase.ready for phase in run.phases)
    check_clients(run)
    check_report(run, tmp_path, output)


def check_clients(run: Run) -> None:
    """Everybody was there, got everything, and moved because of what was done to the edges."""
    assert (run.clients, run.hung, set(run.faults.values())) == (60, 0, {0})
    assert run.received == run.expected > 60 * 2
    assert run.events > 60
    *drained, killed = [{reconnect.reason for reconnect in run.select(phase)} for phase in run.phases]
    assert drained == [{"drain"}] * 3
    assert killed
    assert "drain" not in killed
    # Each client was on one of these edges when that was drained.
    assert sum(len(run.select(phase)) for phase in run.phases[:3]) >= 60


def check_report(run: Run, folder: Path, output: str) -> None:
    assert "60 clients" in output
    assert "lost 0, duplicated 0, out of order 0" in output
    assert "hung 0" in output
    page = (folder / "report.md").read_text()
    assert "**Nothing was lost**" in page
    assert "](reconnects.svg)" in page
    assert page.count("\n| edge-") == 4
    assert count_shapes((folder / "reconnects.svg").read_text(), "bar") > 0
    assert not list(folder.glob("records-*"))
    assert sum(spread(run.select(phase)).number for phase in run.phases) == len(run.reconnects)


# What the report makes of other outcomes


RUN = Run(
    date="today",
    machine={"cores": "4"},
    versions={"HAProxy": "2.6"},
    options={"clients": 3},
    began=100.0,
    ended=160.0,
    phases=[
        Phase("drain", "edge-0", 105.0, 115.0, 117.0, 0),
        Phase("drain", "edge-1", 125.0, 135.0, 137.0, 0),
        Phase("kill", "edge-0", 150.0, 150.1, 152.0, -9),
    ],
    clients=3,
    events=10,
    expected=30,
    received=30,
    faults={"lost": 0, "duplicated": 0},
    told=[],
    hung=0,
    reconnects=[
        Reconnect(105.5, 0.5, "drain"),
        Reconnect(108.0, 1.0, "drain"),
        Reconnect(114.0, 1.25, "drain"),
        Reconnect(116.0, 9.5, "drain"),
        Reconnect(126.0, 1.0, "drain"),
        Reconnect(150.0, 2.0, "the connection ended"),
        Reconnect(150.0, 2.9, "the connection ended"),
    ],
)


def count_shapes(svg: str, kind: str) -> int:
    return len([shape for shape in ElementTree.fromstring(svg).iter() if shape.get("class") == kind])


@pytest.fixture
def run_main(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str | int | None]:
    """Return what calls the command within this process, and returns with what it exits."""

    def run(*arguments: str) -> str | int | None:
        monkeypatch.setattr(sys, "argv", ["rolling", *arguments])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            command.main()
        return ended.value.code

    return run


@pytest.mark.parametrize(
    ("changes", "clean"),
    [
        pytest.param({}, True, id="all is well"),
        pytest.param({"faults": {"lost": 1}}, False, id="lost"),
        pytest.param({"hung": 1}, False, id="hung"),
        pytest.param({"phases": [Phase("drain", "edge-0", 1.0, 2.0, 3.0, 1)]}, False, id="edge failed"),
        pytest.param({"phases": [Phase("drain", "edge-0", 1.0, 2.0, 3.0, -15)]}, False, id="edge did not drain"),
    ],
)
def test_what_counts_as_a_failure(
    changes: dict[str, object],
    *,
    clean: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_main: Callable[..., str | int | None],
) -> None:
    run = msgspec.structs.replace(RUN, **changes)
    monkeypatch.setattr(command, "perform", lambda *_: run)
    monkeypatch.setattr(balancer, "prepare", lambda **_: None)

    assert run_main("--out", str(tmp_path)) == (0 if clean else 1)
    assert ("**Nothing was lost**" in (tmp_path / "report.md").read_text()) is clean


def test_reconnects_belong_to_the_step_before() -> None:
    assert [len(run_phase) for run_phase in map(RUN.select, RUN.phases)] == [4, 1, 2]


def test_the_busiest_second_is_that_with_the_most_reconnects() -> None:
    crowd = [Reconnect(10.0, seconds, "") for seconds in (0.0, 0.4, 0.8, 1.2, 3.0)]

    assert spread(crowd) == (5, 3, 0.8, 3.0, 3.0)
    assert spread([]) == (0, 0, 0.0, 0.0, 0.0)


def test_the_table_has_a_row_for_each_step() -> None:
    *rows, summary = report.format_table(RUN).splitlines()

    assert [row.split()[:5] for row in rows[1:]] == [
        ["edge-0", "drained", "10.0", "0", "4"],
        ["edge-1", "drained", "10.0", "0", "1"],
        ["edge-0", "killed", "0.1", "-9", "2"],
    ]
    assert summary == "3 clients, 30 events received of 30, 7 reconnects: lost 0, duplicated 0, hung 0"


def test_the_plot_shows_reconnects_where_they_were() -> None:
    svg = plot.draw(RUN)
    shapes = [shape for shape in ElementTree.fromstring(svg).iter() if shape.get("class")]
    kinds = [shape.get("class") for shape in shapes]
    assert kinds == ["drain", "drain", "kill", *["bar"] * 7]

    left = {shape: float(shape.get("x", "")) for shape in shapes}
    first_drain, second_drain, kill, *bars = shapes
    assert left[first_drain] < left[bars[0]] < left[second_drain] < left[kill] < left[bars[5]]
    # 40 s lie between the first bar and the second but last: 60 s are 880 wide.
    assert left[bars[5]] - left[bars[0]] == pytest.approx((152 - 106) * 880 / 60, abs=0.2)


def test_a_run_without_reconnects_can_be_drawn() -> None:
    assert count_shapes(plot.draw(msgspec.structs.replace(RUN, reconnects=[])), "bar") == 0


def test_everybody_watches_the_announcements_and_the_end() -> None:
    patterns = [choose_patterns(number) for number in range(200)]

    assert all({ANNOUNCEMENTS, END} <= set(each) or each == [">"] for each in patterns)
    assert patterns.count([">"]) == 2
    assert {"users.5.jobs.>"} < {pattern for each in patterns for pattern in each}


def test_a_missing_haproxy_is_told_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_main: Callable[..., str | int | None]
) -> None:
    monkeypatch.setattr(balancer, "find_haproxy", lambda: str(tmp_path / "haproxy"))

    said = run_main("--short", "--out", str(tmp_path))
    assert str(said).startswith("rolling: haproxy not installed: apt-get install -y haproxy")


@pytest.mark.parametrize("arguments", [["--clients", "0"], ["--clients", "x"], ["--drain-window", "-1"], ["--unknown"]])
def test_wrong_options_are_refused(arguments: list[str], run_main: Callable[..., str | int | None]) -> None:
    assert run_main(*arguments) == 2
