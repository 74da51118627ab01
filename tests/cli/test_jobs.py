import os
import pty
import re
import signal
import subprocess
import sys

from cli.command import Place, Run, Start, end_on_terminal
from support.broker import PATIENCE
from tailrace_producer import SyncProducer


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """Return the lines up to the one that holds a text."""
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline()
        assert line, f"ended without {text!r}: {lines}"
        lines.append(line)
    return lines


def test_the_list(place: Place, run: Run) -> None:
    with SyncProducer(place.nats) as producer:
        with producer.job("one", title="First", total=4):
            pass
        with producer.job("two", user="7") as job:
            job.update(3, total=4)
            producer.flush()
            everything = run("jobs", "--once", "--url", place.url)
            mine = run("jobs", "--once", "--user", "7", TAILRACE_URL=place.url)
            nobody = run("jobs", "--once", "--tenant", "other", "--url", place.url)

    two, one = everything.stdout.splitlines()
    assert one.startswith("jobs.one  complete")
    assert two.startswith("users.7.jobs.two  running  75.0 %  3/4 done")
    assert mine.stdout.startswith("users.7.jobs.two  running")
    assert mine.stdout.count("\n") == 1
    assert (nobody.returncode, nobody.stdout) == (0, "")


def test_on_a_pipe_there_is_a_line_for_each_change(place: Place, start: Start) -> None:
    with SyncProducer(place.nats) as producer:
        with producer.job("before", title="First"):
            pass
        producer.flush()
        jobs = start("jobs", "--url", place.url)
        read_until(jobs, "jobs.before  complete")
        with producer.job("now", total=2) as job:
            job.update(1)
            producer.flush()
            job.step("last steps")
        lines = read_until(jobs, "jobs.now  complete")

    assert lines[0].startswith("jobs.now  running")
    assert any("50.0 %" in line for line in lines)
    jobs.send_signal(signal.SIGINT)
    assert jobs.wait(PATIENCE) == 130


def test_on_a_terminal_there_is_a_live_table(place: Place, environment: dict[str, str]) -> None:
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tailrace_cli", "jobs", "--url", place.url]
    with subprocess.Popen(command, stdout=slave, env=environment | {"TERM": "xterm"}) as jobs:
        os.close(slave)
        with SyncProducer(place.nats) as producer, producer.job("one", title="Import", total=4) as job:
            job.update(1)
            shown = ""
            while not re.search(r"Import.* 25 %.* 1/4", shown):
                shown += os.read(master, 65536).decode(errors="ignore")
            job.warn("careful")
        while "complete after" not in shown:
            shown += os.read(master, 65536).decode(errors="ignore")
        assert end_on_terminal(jobs, master) == 130
    os.close(master)

    assert "live at one" in shown
    assert "Traceback" not in shown
