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
]  # fmt: skip


class Run(NamedTuple):
    report: str
    rows: list[dict[str, Any]]
    folder: Path

    def find(self, scenario: str, contender: str = "tailrace") -> list[dict[str, float]]:
        return [row["figures"] for row in self.rows if row["scenario"] == scenario and row["contender"] == contender]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("bench")
    done = call("--short", "--out", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return Run((folder / "report.md").read_text(), rows, folder)


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(LOADTEST)}
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.timeout(300)
def test_every_scenario_runs_with_tailrace(run: Run) -> None:
    assert list(dict.fromkeys(row["scenario"] for row in run.rows)) == SCENARIOS
    assert {row["scenario"] for row in run.rows if row["contender"] == "tailrace"} == set(SCENARIOS)


def test_the_limit_is_measured_beside_it(run: Run) -> None:
    [limit], [tailrace] = run.find("fanout", "limit"), run.find("fanout")
    assert limit["deliveries"] == tailrace["deliveries"] == 50 * 50


def test_tailrace_loses_nothing_and_keeps_the_order(run: Run) -> None:
    faults = {
        (row["scenario"], row["case"], name): row["figures"][name]
        for row in run.rows
        for name in ("losses", "duplicates", "disorder")
        if row["contender"] == "tailrace" and name in row["figures"]
    }
    assert len(faults) >= 3 * 9
    assert not {where: number for where, number in faults.items() if number}


def test_all_clients_of_a_storm_are_served(run: Run) -> None:
    assert [figures["served"] for figures in run.find("resumes")] == [100, 100, 100]
    assert [figures["failed"] for figures in run.find("connects")] == [0]


def test_cold_clients_are_served_from_jetstream(run: Run) -> None:
    tail, *cold = run.find("resumes")
    assert tail["replays_tail"] >= 100
    assert all(figures["replays_jetstream"] >= 100 for figures in cold)


def test_slow_clients_get_everything_in_order(run: Run) -> None:
    _, slow = run.find("slow")
    assert slow["slow_clients"] == slow["slow_contiguous"] == 10
    assert slow["slow_last_min"] == slow["published_a_topic"]


def test_the_report_tells_of_every_scenario_and_shows_its_plots(run: Run) -> None:
    assert re.findall(r"^## \((\w)\)", run.report, re.MULTILINE) == list("abcdefghijk")
    plots = re.findall(r"!\[.*\]\((.*)\)", run.report)
    assert len(plots) >= 5
    assert all((run.folder / plot).read_text().startswith("<?xml") for plot in plots)


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    done = call("--only", "fanout,nonsense")
    assert done.returncode == 2
    assert "no scenario nonsense; there are fanout, bursts" in done.stderr
