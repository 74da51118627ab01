import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from rich.console import Console
from tailrace_cli.job_table import JobTable, format_job, format_seconds
from tailrace_client import Event, JobState, JobStatus, Link, LinkState
from tailrace_protocol.jobs import JobError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
RUNNING = JobState(
    "one", JobStatus.RUNNING, title="Import", done=5, total=10, percent=50, rate=2.5, eta=2, step="copy", started=NOW
)
ENDED = JobState("two", JobStatus.COMPLETE, done=1, started=NOW, ended=NOW + timedelta(seconds=65))
FAILED = JobState("three", JobStatus.FAILED, error=JobError("OSError", "disk full"), ended=NOW)


def make_event(state: JobState, type: str = "progress") -> Event:
    return Event("0123abcd-1", f"jobs.{state.id}", type, NOW, msgspec.to_builtins(state))


def render(table: JobTable, limit: int | None = None, width: int = 120) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table.render(limit=limit))
    return capture.get()


def test_running_jobs_come_first_then_the_newest_that_ended() -> None:
    table = JobTable([FAILED, ENDED, RUNNING])

    assert [state.id for state in table.sort()] == ["one", "two", "three"]


def test_a_row_says_how_the_job_is() -> None:
    shown = render(JobTable([RUNNING, ENDED, FAILED]))

    for text in ("Import", "50 %", "5/10", "2.5/s", "2.0 s", "copy", "complete after 1 min 5 s", "failed: disk full"):
        assert text in shown


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"status": JobStatus.WORKER_LOST}, "no sign of its worker"),
        ({"status": JobStatus.RETRYING, "error": JobError("OSError", "disk full")}, "attempt 1 failed: disk full"),
        ({"status": JobStatus.RETRYING, "attempt": 3}, "attempt 3 failed"),
        ({"cancelling": True}, "cancelling"),
        ({"attempt": 2}, "attempt 2"),
    ],
)
def test_what_goes_wrong_is_said(change: dict[str, Any], trouble: str) -> None:
    state = msgspec.structs.replace(RUNNING, **change)

    assert f"{trouble}: copy" in render(JobTable([state]))
    assert f"  {trouble}  copy" in format_job(state)


def test_every_status_has_a_row() -> None:
    states = [JobState(status.value, status, percent=None) for status in JobStatus]

    assert all(status.value in render(JobTable(states)) for status in JobStatus)


def test_the_figures_fit_a_terminal_of_80_columns() -> None:
    busy = msgspec.structs.replace(
        RUNNING, title="Import " * 9, done=12345, total=50000, percent=100, rate=1234, eta=185, step="copy " * 9
    )
    shown = render(JobTable([busy]), width=80)

    for text in ("done", "rate", "left", "100 %", "12,345/50,000", "1,234/s", "3 min 5 s"):
        assert text in shown
    assert shown.count("\n") == 2


@pytest.mark.parametrize("width", [80, 120])
def test_jobs_with_the_same_title_are_told_apart(width: int) -> None:
    states = [msgspec.structs.replace(RUNNING, id="import-42", user=user) for user in ("7", None)]
    alone, both = (render(JobTable(shown), width=width) for shown in (states[:1], states))

    assert "Import" in alone
    assert "users.7" not in alone
    assert " users.7.jobs.import-42 " in f" {both}".replace("\n", " ")
    assert " jobs.import-42 " in f" {both}".replace("\n", " ")


def test_events_change_the_table() -> None:
    table = JobTable()

    assert table.take(make_event(RUNNING)) == RUNNING
    assert [state.id for state in table.sort()] == ["one"]
    assert table.take(Event("0123abcd-2", "jobs.one", "message", NOW, "foreign")) is None
    assert table.take(make_event(RUNNING, "deleted")) is None
    assert table.sort() == []


def test_jobs_with_the_same_id_of_two_users_are_two() -> None:
    assert len(JobTable([msgspec.structs.replace(RUNNING, user=user) for user in ("1", "2", None)]).sort()) == 3


def test_what_does_not_fit_is_counted() -> None:
    shown = render(JobTable([RUNNING, ENDED, FAILED]), limit=1)

    assert "Import" in shown
    assert "disk full" not in shown
    assert "and 2 more" in shown


def test_the_link_is_shown() -> None:
    table = JobTable()
    assert "no jobs" in render(table)
    table.observe(Link(LinkState.LIVE, edge="edge-1"))
    assert "live at edge-1" in render(table)
    table.observe(Link(LinkState.OFFLINE, edge="edge-1", reason="refused"))
    assert "offline: refused" in render(table)


def test_one_line() -> None:
    assert format_job(RUNNING) == "jobs.one  running  Import  50.0 %  5/10 done  2.5/s  copy  2.0 s left"
    assert format_job(ENDED) == "jobs.two  complete  1 done  after 1 min 5 s"
    assert format_job(FAILED) == "jobs.three  failed  disk full"


def test_what_a_job_says_cannot_command_the_terminal() -> None:
    bad = "\x1b]0;x\x07\r\n\x9b2Jend"
    error = JobError("OSError", "disk\x1b[2Jfull")
    state = JobState("four", JobStatus.FAILED, title=bad, step=bad, message=bad, error=error)
    running = msgspec.structs.replace(state, status=JobStatus.RUNNING)

    table = JobTable([state])
    taken = table.take(make_event(running))
    assert taken is not None
    for shown in (
        render(JobTable([state])),
        render(table),
        *map(format_job, [*table.sort(), *JobTable([state]).sort()]),
    ):
        assert "end" in shown or "disk [2Jfull" in shown
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    assert "\n" not in format_job(taken)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (42, "42 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_times(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_what_counts_nothing_is_not_said_to_have_done_nothing() -> None:
    plain = JobState("one", JobStatus.COMPLETE)

    assert format_job(plain) == "jobs.one  complete"
    assert not re.search(r"\b0\b", render(JobTable([plain])))
    assert format_job(msgspec.structs.replace(plain, total=0)) == "jobs.one  complete  0/0 done"
    assert format_job(msgspec.structs.replace(plain, done=2)) == "jobs.one  complete  2 done"
