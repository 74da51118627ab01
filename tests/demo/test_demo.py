"""The demo from end to end, without a terminal; and in a real browser."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import sync_playwright
from rich.console import Console
from support.broker import PATIENCE
from tailrace_demo.audit import Audit
from tailrace_demo.display import Summary, render_summary

CLEAN = Audit(published=3, received=3, lost=0, duplicated=0, disordered=0, unknown=0)
RESULT = {"files": 2, "bytes": 1000, "lzma -6": 300, "zlib -9": 200}

END = 250.0
"""Seconds for a whole demo, however busy the machine is."""

pytestmark = pytest.mark.timeout(300)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """120 files in 3 folders."""
    folder = tmp_path / "files"
    for number in range(120):
        path = folder / f"part{number % 3}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(20_000) + bytes(20_000))
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the demo, with a temporary folder of its own."""
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAILRACE_")}
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tailrace_demo", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"TMPDIR": str(tmp_path / "tmp"), "COLUMNS": "120"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Return the line that holds a text."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f"ended without {text!r}: {''.join(lines)}"
        lines.append(line)
    return lines[-1]


def read_summary(output: str) -> dict[str, str]:
    """Return the values of the table at the end, by name."""
    return {row[1]: row[2] for row in re.finditer(r"^(\S.*?) {2,}(\S.*?) *$", output, re.MULTILINE)}


def test_an_edge_is_killed_and_nothing_is_lost(start: Start, folder: Path, tmp_path: Path) -> None:
    demo = start("--folder", str(folder))
    output, _ = demo.communicate(timeout=END)

    assert demo.returncode == 0, output
    assert re.search(r"killing (edge-\d), which serves the client \(SIGKILL, pid \d+\)", output), output
    assert re.search(r"resumed at edge-\d after \d+\.\d\d s", output), output
    summary = read_summary(output)
    assert summary["files"] == "120"
    assert summary["bytes"] == "4,800,000"
    assert int(summary["events published"].replace(",", "")) > 120
    assert summary["events received"] == summary["events published"]
    assert [summary[fault] for fault in ("lost", "duplicated", "out of order")] == ["0", "0", "0"]
    assert re.fullmatch(r"\d+\.\d\d s \(edge-\d to edge-\d\)", summary["time to resume"])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_a_kill(start: Start, folder: Path) -> None:
    demo = start("--folder", str(folder), "--no-kill", "--edges", "1")
    output, _ = demo.communicate(timeout=END)

    assert demo.returncode == 0, output
    assert "SIGKILL" not in output
    assert "time to resume" not in output


def test_a_file_that_cannot_be_read_does_not_stop_it(start: Start, folder: Path) -> None:
    (folder / "part0" / "dangling").symlink_to("nowhere")
    demo = start("--folder", str(folder), "--no-kill", "--edges", "1")
    output, _ = demo.communicate(timeout=END)

    assert demo.returncode == 0, output
    assert read_summary(output)["files not readable"] == "1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_nothing(
    start: Start, folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    demo = start("--folder", str(folder))
    read_until(demo, "watch it in the browser")
    children = psutil.Process(demo.pid).children(recursive=True)
    assert children

    demo.send_signal(number)
    output, _ = demo.communicate(timeout=END)

    assert demo.returncode == 130
    assert "Traceback" not in output
    assert [child for child in children if child.is_running()] == []
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.browser
def test_the_page_shows_the_work(start: Start, folder: Path) -> None:
    demo = start("--folder", str(folder), "--keep")
    url = read_until(demo, "watch it in the browser").split()[-1]
    with sync_playwright() as playwright:
        path = "/usr/bin/chromium"
        browser = playwright.chromium.launch(
            executable_path=path if os.path.exists(path) else None, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 390, "height": 844})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(url)
        page.wait_for_selector("#whole[data-status=complete]")
        # The page's policy forbids the evaluation that waiting for a function takes.
        page.wait_for_selector("#parts li[data-status=complete] >> nth=2")
        page.wait_for_selector("#log li:first-child:has-text('part')")
        page.wait_for_selector("#link[data-state=live]")

        assert page.locator("#parts li").count() == 3
        assert page.inner_text("#title") == "Pack files"
        assert page.inner_text("#percent") == "100"
        assert page.inner_text("#done") == "120 / 120"
        assert page.get_attribute("#bar", "aria-valuenow") == "100"
        assert page.inner_text("#disordered") == "0"
        assert int(page.inner_text("#events").replace(",", "")) >= 5
        assert re.fullmatch(r"live at edge-\d", page.inner_text("#link-text"))
        assert page.inner_text("#log li:first-child").startswith("part")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # A killed edge may break the page's stream, which the browser reports and mends.
        assert [error for error in errors if "ERR_" not in error] == []
        browser.close()


@pytest.mark.parametrize(
    ("audit", "unstored", "clean"),
    [
        (CLEAN, 0, True),
        (CLEAN, 1, False),
        (CLEAN._replace(lost=1), 0, False),
        (CLEAN._replace(duplicated=1), 0, False),
        (CLEAN._replace(disordered=1), 0, False),
        (CLEAN._replace(unknown=1), 0, False),
    ],
)
def test_the_summary_is_clean_only_without_any_fault(audit: Audit, unstored: int, clean: bool) -> None:
    summary = Summary(RESULT, 1.5, audit, unstored)
    console = Console(width=120)
    with console.capture() as capture:
        console.print(render_summary(summary))

    assert summary.clean is clean
    rows = read_summary(capture.get())
    assert rows["packed best"] == "200 (zlib -9)"
    assert int(rows["lost"]) == audit.lost + unstored
    assert ("received but not in the log" in rows) is bool(audit.unknown)
