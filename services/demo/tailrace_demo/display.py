"""What the demo shows in the terminal: live bars, or on a pipe a line now and then; and the summary."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from tailrace_demo.audit import Audit
from tailrace_demo.packing import METHODS
from tailrace_demo.watcher import Watcher

_ROWS = 7
_MARK = 10


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to.

    Attributes:
        result: of the job for the whole: `files`, `bytes`, and the bytes packed by method.
        seconds: that the job took.
        audit: of what the client received.
        unstored: events of files that the worker sent and that are not in the log.
        killed: the name of the edge that was killed, if one was.
        resumed: the name of the edge where the client went on.
        resume_seconds: from the kill until the stream was open again.
    """

    result: dict[str, Any]
    seconds: float
    audit: Audit
    unstored: int
    killed: str | None = None
    resumed: str | None = None
    resume_seconds: float | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, duplicated or out of order."""
        return self.audit.clean and self.unstored == 0


def render_live(watcher: Watcher) -> RenderableType:
    """Return what is shown while the demo runs."""
    counts = Text(f"{len(watcher.received):,} events received, {watcher.link.reconnects} resumes", "dim")
    log = [Text(line, "dim", no_wrap=True, overflow="ellipsis") for line in watcher.lines]
    return Group(watcher.jobs.render(limit=_ROWS), counts, Text(), *log)


async def print_marks(console: Console, watcher: Watcher) -> None:
    """Print a line for every tenth of the work."""
    printed = 0
    while printed < 100:
        await watcher.wait_for(partial(_has_reached, watcher, printed + _MARK))
        printed = int(watcher.percent // _MARK) * _MARK
        step = watcher.job.step if watcher.job is not None else ""
        console.print(
            f"{printed:3} %  {step}, {len(watcher.received):,} events received, served by {watcher.link.edge}"
        )


def _has_reached(watcher: Watcher, percent: int) -> bool:
    return watcher.percent >= percent


def render_summary(summary: Summary) -> Table:
    """Return the table at the end."""
    audit = summary.audit
    table = Table(title="What came of it", title_justify="left", box=None, show_header=False, padding=(0, 3, 0, 0))
    table.add_column(justify="left")
    table.add_column(justify="right")
    for name, text in _list_work(summary):
        table.add_row(name, text)
    table.add_section()
    table.add_row("events published", f"{audit.published:,}")
    table.add_row("events received", f"{audit.received:,}")
    faults = {
        "lost": audit.lost + summary.unstored,
        "duplicated": audit.duplicated,
        "out of order": audit.disordered,
        "received but not in the log": audit.unknown,
    }
    for name, number in faults.items():
        if number or name != "received but not in the log":
            table.add_row(name, Text(f"{number:,}", "red" if number else "green"))
    if summary.resume_seconds is not None:
        table.add_row("time to resume", f"{summary.resume_seconds:.2f} s ({summary.killed} to {summary.resumed})")
    return table


def _list_work(summary: Summary) -> list[tuple[str, str]]:
    result = summary.result
    rows = [("files", f"{result.get('files', 0):,}"), ("bytes", f"{result.get('bytes', 0):,}")]
    sizes = {name: result[name] for name in METHODS if name in result}
    if sizes:
        best = min(sizes, key=lambda name: sizes[name])
        rows.append(("packed best", f"{sizes[best]:,} ({best})"))
    return [*rows, ("seconds", f"{summary.seconds:.1f}"), *_list_failed(result)]


def _list_failed(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [("files not readable", f"{result['failed']:,}")] if result.get("failed") else []
