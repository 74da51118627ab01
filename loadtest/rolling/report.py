"""The report: what was lost, and how clients came back, as a table on the terminal and in Markdown."""

from collections import Counter
from collections.abc import Iterator

from rolling.run import Run, spread

_TITLES = (
    "step",
    "seconds",
    "exit",
    "reconnects",
    "in the busiest second",
    "without a stream: median",
    "99 %",
    "longest",
)


def list_rows(run: Run) -> list[tuple[str, ...]]:
    """Return a row for each step: what was done, and how clients came back."""
    rows: list[tuple[str, ...]] = []
    for phase in run.phases:
        came = spread(run.select(phase))
        rows.append(
            (
                f"{phase.edge} {'drained' if phase.what == 'drain' else 'killed'}",
                f"{phase.ended - phase.began:.1f}",
                str(phase.status),
                str(came.number),
                str(came.busiest),
                f"{came.median:.2f} s",
                f"{came.most:.2f} s",
                f"{came.longest:.2f} s",
            )
        )
    return rows


def describe(run: Run) -> str:
    """Return what came of it in a line."""
    faults = ", ".join(f"{kind} {number}" for kind, number in run.faults.items())
    return (
        f"{run.clients} clients, {run.received} events received of {run.expected}, "
        f"{len(run.reconnects)} reconnects: {faults}, hung {run.hung}"
    )


def format_table(run: Run) -> str:
    """Return it as the terminal shows it."""
    rows = [_TITLES, *list_rows(run)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, describe(run), *run.told])


def format_markdown(run: Run, picture: str) -> str:
    """Return it as a page.

    Args:
        run: what was found.
        picture: name of the plot's file.
    """
    return "\n".join(_write(run, picture)) + "\n"


def _write(run: Run, picture: str) -> Iterator[str]:
    yield "# Rolling update under load"
    yield ""
    yield f"**{'Nothing was lost' if run.clean else 'Something went wrong'}**: {describe(run)}."
    yield ""
    yield f"{run.date}. " + ", ".join(f"{name} {value}" for name, value in (run.machine | run.versions).items()) + "."
    yield "Options: " + ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in run.options.items()) + "."
    yield f"{run.events:,} events in {run.ended - run.began:.0f} s."
    yield ""
    yield f"![Reconnects over time]({picture})"
    yield ""
    yield "| " + " | ".join(_TITLES) + " |"
    yield "|---" * len(_TITLES) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in list_rows(run))
    yield ""
    yield "Why streams ended, by what clients saw first:"
    yield ""
    reasons = Counter(reconnect.reason for reconnect in run.reconnects)
    yield from (f"- {reason}: {count}" for reason, count in reasons.most_common())
    if run.told:
        yield ""
        yield "The first faults:"
        yield ""
        yield from (f"-{line.removeprefix(' ')}" for line in run.told)
