"""The report: one Markdown file with what was reached, tables, plots, and what they were measured on."""

from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figures
from bench.plots import draw_all
from bench.rows import Row
from bench.runs import Run
from bench.tables import TABLES
from bench.targets import check_all


def write(run: Run, folder: Path) -> Path:
    """Write the report and its plots, and return its path.

    Args:
        run: what was found.
        folder: where it goes.
    """
    pictures = draw_all(run.rows, folder, run.titles)
    path = folder / "report.md"
    path.write_text("\n".join([*_write_head(run), *_write_targets(run), *_write_scenarios(run, pictures)]) + "\n")
    return path


def format_line(row: Row) -> str:
    """Return a row as the terminal shows it."""
    head = f"{row.scenario:9} {row.case:28} {row.contender:13}"
    if row.error:
        return f"{head} FAILED: {row.error}"
    columns = TABLES[row.scenario].columns
    shown = ", ".join(f"{column.title} {column.format(row)}" for column in columns if column.figure in row.figures)
    return f"{head} {shown}{''.join(f' ({note})' for note in row.notes)}"


def _write_head(run: Run) -> Iterator[str]:
    yield "# Tailrace beside what users would take instead"
    yield ""
    if run.short:
        yield "**The short form: sizes are tiny, and these figures say nothing but that everything works.**"
        yield ""
    yield f"{run.date}. " + ", ".join(f"{name} {value}" for name, value in run.machine.items()) + "."
    yield f"Cores: {run.cores}."
    if int(run.machine["cores"]) < 4:
        yield "With fewer than four cores, load, broker and publisher share some; only the server has one of its own."
    yield ""
    yield "CPU is user and system time from /proc over the measured window, of the contender's server; its broker is"
    yield "beside it. Latency is from the publisher's stamp in the event until the watcher has read it."
    yield ""
    yield from (f"- {title}: {version}" for title, version in run.versions.items())
    yield from (f"- {title}: **not measured**: {reason}" for title, reason in run.missing.items())
    yield ""


def _write_targets(run: Run) -> Iterator[str]:
    verdicts = check_all(Figures(run.rows))
    if run.short or not verdicts:
        return
    yield "## Figures to reach"
    yield ""
    yield "| | figure | case | to reach | found |"
    yield "|---|---|---|---|---|"
    for verdict in verdicts:
        mark = "✓" if verdict.reached else "✗"
        yield f"| {mark} | {verdict.figure} | {verdict.case} | {verdict.goal} | {verdict.found} |"
    yield ""


def _write_scenarios(run: Run, pictures: dict[str, Path]) -> Iterator[str]:
    figures = Figures(run.rows)
    for scenario, table in TABLES.items():
        rows = [row for row in run.rows if row.scenario == scenario]
        if not rows:
            continue
        yield f"## ({table.letter}) {table.title}"
        yield ""
        yield table.text
        yield ""
        yield from table.write(rows, figures, run.titles)
        yield ""
        for row in rows:
            for note in [*row.notes, *filter(None, [row.error])]:
                yield f"- {run.titles.get(row.contender, row.contender)}, {row.case}: {note}"
        if scenario in pictures:
            yield ""
            yield f"![{table.title}]({pictures[scenario].name})"
        yield ""
