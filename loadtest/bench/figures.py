"""Figures: found among the rows of a run, and written for readers."""

from collections.abc import Sequence
from typing import NamedTuple

from bench.rows import Row

_KIB = 1024
_MIB = 1 << 20


class Figures:
    """Looks up what was measured."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = [row for row in rows if not row.error]

    def find(self, scenario: str, case: str, contender: str, figure: str) -> float | None:
        """Return one figure; None if it was not measured."""
        for row in self._rows:
            if (row.scenario, row.case, row.contender) == (scenario, case, contender):
                return row.figures.get(figure)
        return None

    def list_cases(self, scenario: str) -> list[str]:
        """Return the cases of a scenario, in order."""
        return list(dict.fromkeys(row.case for row in self._rows if row.scenario == scenario))


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: its heading.
        figure: which one.
        scale: what it is multiplied by, before it is written.
        digits: after the point.
    """

    title: str
    figure: str
    scale: float = 1.0
    digits: int = 0

    def format(self, row: Row) -> str:
        """Return the figure of a row as text; a dash if it has none."""
        value = row.figures.get(self.figure)
        return "-" if value is None else f"{value * self.scale:,.{self.digits}f}"


def kib(title: str, figure: str) -> Column:
    """Return a column in KiB."""
    return Column(f"{title} KiB", figure, 1 / _KIB, 1)


def mib(title: str, figure: str) -> Column:
    """Return a column in MiB."""
    return Column(f"{title} MiB", figure, 1 / _MIB, 1)


def percent(title: str, figure: str) -> Column:
    """Return a column in percent of one core."""
    return Column(f"{title} %", figure, 100, 1)
