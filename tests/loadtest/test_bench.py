"""The bench in its short form: everything runs, and everything arrives. Nothing is timed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

LOADTEST = Path(__file__).parents[2] / "loadtest"

SCENARIOS = [
    "fanout", "bursts", "topics", "tenant", "idle", "connects", "resumes", "slow", "scale", "producer", "history",
    "steps",
]  # fmt: skip


class Run(NamedTuple):
    folder: Path
    rows: list[dict[str, Any]]

    def find(self, scenario: str, contender: str = "tailrace") -> list[dict[str, float]]:
        return [row["figures"] for row in self.rows if (row["scenario"], row["contender"]) == (scenario, contender)]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(LOADTEST)}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=870, check=False)


# One test for all of it: workers of xdist that share a module would each run the bench.
@pytest.mark.timeout(900)
def test_everything_runs_and_everything_arrives(tmp_path: Path) -> None:
    done = call("--short", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    run = Run(tmp_path, json.loads((tmp_path / "results.json").read_text())["rows"])

    check_scenarios(run)
    check_fanout(run)
    check_faults(run)
    check_storms(run)
    check_slow_readers(run)
    check_texts(run)
    check_report(run)


def check_scenarios(run: Run) -> None:
    """Each runs, in order, and Tailrace takes part in all of them."""
    assert list(dict.fromkeys(row["scenario"] for row in run.rows)) == SCENARIOS
    assert {row["scenario"] for row in run.rows if row["contender"] == "tailrace"} == set(SCENARIOS)


def check_fanout(run: Run) -> None:
    """The limit gets the same load as Tailrace."""
    [limit], [tailrace] = run.find("fanout", "limit"), run.find("fanout")
    assert limit["deliveries"] == tailrace["deliveries"] == 50 * 50


def check_faults(run: Run) -> None:
    """Tailrace loses nothing, doubles nothing and keeps the order."""
    faults = {
        (row["scenario"], row["case"], name): row["figures"][name]
        for row in run.rows
        for name in ("losses", "duplicates", "disorder")
        if row["contender"] == "tailrace" and name in row["figures"]
    }
    assert len(faults) == 3 * 11
    assert not {where: number for where, number in faults.items() if number}


def check_storms(run: Run) -> None:
    """All clients are served, from where the case says."""
    assert [figures["failed"] for figures in run.find("connects")] == [0]
    tail, *cold = run.find("resumes")
    assert [figures["served"] for figures in (tail, *cold)] == [100, 100, 100]
    assert tail["replays_tail"] == 100
    assert [figures["replays_jetstream"] for figures in cold] == [100, 100]


def check_slow_readers(run: Run) -> None:
    """Slow clients get everything, in order."""
    _, slow = run.find("slow")
    assert slow["slow_clients"] == slow["slow_contiguous"] == 10
    assert slow["slow_last_min"] == slow["published_a_topic"]


def check_texts(run: Run) -> None:
    """Who comes late to a text reads few events of it, and roll-ups cost no more than the text does without them."""
    [late] = [figures for figures in run.find("producer") if "replayed" in figures]
    assert 0 < late["replayed"] < 200
    assert 1 < late["log_ratio"] <= 2
    tokens = [row for row in run.rows if row["scenario"] == "producer" and "tokens of" in row["case"]]
    assert [row["figures"]["events"] for row in tokens] == [500] * 3


def check_report(run: Run) -> None:
    """The report tells of every scenario, and the plots are there."""
    report = (run.folder / "report.md").read_text()
    assert re.findall(r"^## \((\w)\)", report, re.MULTILINE) == list("abcdefghijkl")
    plots = re.findall(r"!\[.*\]\((.*)\)", report)
    assert plots
    assert all((run.folder / plot).read_text().startswith("<?xml") for plot in plots)


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    done = call("--only", "fanout,nonsense")
    assert done.returncode == 2
    assert "no scenario nonsense; there are fanout, bursts" in done.stderr
