"""Plots: one picture a scenario, of what its contenders are compared by."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.figures import Column
from bench.rows import Row
from bench.tables import TABLES, Table

_COLOURS = {
    "tailrace": "#d1495b",
    "limit": "#30363d",
    "nchan": "#2e7d8c",
    "python-usual": "#e0a030",
    "mercure": "#7b6fb0",
    "centrifugo": "#5a8f4a",
    "nats-py": "#9a8478",
}
_HEIGHT = 0.32
"""Inches of a bar."""


def draw_all(rows: Sequence[Row], folder: Path, titles: dict[str, str]) -> dict[str, Path]:
    """Draw what there is to compare, and return the pictures by scenario."""
    mpl.rcParams["svg.hashsalt"] = "tailrace"  # the same picture has the same bytes
    pictures = {}
    for scenario, table in TABLES.items():
        measured = [row for row in rows if row.scenario == scenario and row.figures.get(table.compared)]
        if measured:
            path = folder / f"{scenario}.svg"
            draw(table, measured, titles).savefig(path, format="svg", metadata={"Date": None})
            pictures[scenario] = path
    return pictures


def draw(table: Table, rows: Sequence[Row], titles: dict[str, str]) -> Figure:
    """Return bars of the figure that is compared: a group of them for each case."""
    column = next((column for column in table.columns if column.figure == table.compared), Column("", table.compared))
    cases = list(dict.fromkeys(row.case for row in rows))
    figure = Figure(figsize=(8, 1 + _HEIGHT * (len(rows) + len(cases))), layout="constrained")
    axes = figure.add_subplot()
    place, names = 0.0, []
    for case in cases:
        for row in (row for row in rows if row.case == case):
            value = row.figures[table.compared] * column.scale
            bar = axes.barh(place, value, color=_COLOURS.get(row.contender, "#888888"))
            axes.bar_label(bar, labels=[_label(table, rows, row, column)], padding=4, fontsize=8)
            names.append((place, f"{titles.get(row.contender, row.contender)}, {case}"))
            place += 1
        place += 0.7
    axes.set_yticks([place for place, _ in names], [name for _, name in names], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set_title(f"({table.letter}) {table.title}: {column.title}", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _label(table: Table, rows: Sequence[Row], row: Row, column: Column) -> str:
    """Return the figure, and how it relates to the first peer's in the same case."""
    text = column.format(row)
    for peer, name in table.peers:
        other = next((found for found in rows if found.case == row.case and found.contender == peer), None)
        if other is row:
            break
        if other is not None:
            return f"{text}  ({row.figures[table.compared] / other.figures[table.compared]:.2f} x {name})"
    return text
