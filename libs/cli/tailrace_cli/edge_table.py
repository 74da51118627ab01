"""Tables of edges for the terminal: what each does now, as the difference between what it told last and before."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from tailrace_edge.stats import EdgeStats

GONE_SHOWN = 10.0
"""Seconds for which an edge that no longer answers is still shown."""

_WIDE = 100
"""Columns of a terminal from which on there is room for the closes of each edge."""
_NAME = 8
"""Characters of an edge's name that are shown at least."""
_CLOSED = 24
"""Characters that are left for the closes of an edge at least; they take several lines if need be."""
_PAUSE = "-"

_HEADINGS = ("edge", "ready", "live/behind", "events/s", "deliv/s", "MB/s", "lag", "tail", "up")
_SHORT_HEADINGS = ("edge", "ready", "l/behind", "ev/s", "del/s", "MB/s", "lag", "tail", "up")


class Rates(msgspec.Struct, frozen=True):
    """What happened per second, between the last two answers."""

    events: float
    deliveries: float
    bytes: float


class EdgeNow(msgspec.Struct, frozen=True):
    """What is shown of one edge.

    Attributes:
        stats: as the edge told them last.
        rates: None until it has answered twice, and while it is gone.
        closed: streams that ended since the table was begun, by reason.
        gone: seconds since it was first missed; None if it answered.
    """

    stats: EdgeStats
    rates: Rates | None
    closed: dict[str, int]
    gone: float | None

    @property
    def state(self) -> str:
        """Whether new clients may come, in a word."""
        return "gone" if self.gone is not None else "yes" if self.stats.ready else "no"


class Total(msgspec.Struct, frozen=True):
    """What is shown of all edges that answered.

    Attributes:
        edges: how many they are.
        rates: of deliveries and bytes, the sum; of events, the greatest, for every edge reads the whole log.
        closed: of the edges that are gone, too.
    """

    edges: int
    ready: int
    connections: int
    live: int
    behind: int
    rates: Rates | None
    closed: dict[str, int]


@dataclass
class _Seen:
    stats: EdgeStats
    at: float
    told: Mapping[str, int]
    """Closes that are counted already."""
    rates: Rates | None = None
    closed: Counter[str] = field(default_factory=Counter)
    missed_at: float | None = None


class EdgeTable:
    """The edges as they answered last. It has no clock: who calls says what time it is, in seconds.

    Attributes:
        problem: why no edge answered; None if one did.
    """

    def __init__(self, now: float) -> None:
        """Begin without an edge."""
        self._begun = self._now = now
        self._seen: dict[str, _Seen] = {}
        self._closed: Counter[str] = Counter()
        self.problem: str | None = None

    def take(self, answers: Iterable[EdgeStats], now: float, problem: str | None = None) -> None:
        """Take in what the edges answered.

        Args:
            answers: of those that did. The others are shown as gone for `GONE_SHOWN`, then dropped.
            now: when they did.
            problem: why none did.
        """
        self._now, self.problem = now, problem
        found = {stats.name: stats for stats in answers}
        for name, stats in found.items():
            self._meet(name, stats)
        for name in self._seen.keys() - found.keys():
            self._miss(name)

    def read(self) -> list[EdgeNow]:
        """Return the edges, by name."""
        return [
            EdgeNow(
                seen.stats,
                seen.rates,
                dict(seen.closed),
                None if seen.missed_at is None else round(self._now - seen.missed_at, 1),
            )
            for _, seen in sorted(self._seen.items())
        ]

    def sum(self) -> Total:
        """Return what all edges that answered do together."""
        there = [edge for edge in self.read() if edge.gone is None]
        rates = [edge.rates for edge in there if edge.rates is not None]
        return Total(
            edges=len(there),
            ready=sum(edge.stats.ready for edge in there),
            connections=sum(edge.stats.connections for edge in there),
            live=sum(edge.stats.live for edge in there),
            behind=sum(edge.stats.behind for edge in there),
            rates=Rates(
                max(rate.events for rate in rates),
                sum(rate.deliveries for rate in rates),
                sum(rate.bytes for rate in rates),
            )
            if rates
            else None,
            closed=dict(self._closed),
        )

    def render(self, *, limit: int | None) -> "RenderedEdges":
        """Return what to print, with at most `limit` edges."""
        edges = self.read()
        shown = edges if limit is None else edges[: max(limit, 1)]
        return RenderedEdges(shown, self.sum(), hidden=len(edges) - len(shown), problem=self.problem)

    def _meet(self, name: str, stats: EdgeStats) -> None:
        seen = self._seen.get(name)
        if seen is None:
            # Closes of an edge that was started later all came since the table was begun.
            old = stats.uptime > self._now - self._begun
            self._seen[name] = seen = _Seen(stats, self._now, stats.closes if old else {})
        elif stats.uptime < seen.stats.uptime:  # started anew under its name: what it counts begins at 0 again
            seen.rates, seen.told = None, {}
        elif self._now > seen.at:
            seen.rates = _measure(seen.stats, stats, self._now - seen.at)
        new = Counter(stats.closes) - Counter(seen.told)
        seen.closed += new
        self._closed += new
        seen.stats, seen.at, seen.told, seen.missed_at = stats, self._now, stats.closes, None

    def _miss(self, name: str) -> None:
        seen = self._seen[name]
        seen.rates = None
        if seen.missed_at is None:
            seen.missed_at = self._now
        elif self._now - seen.missed_at > GONE_SHOWN:
            del self._seen[name]


class RenderedEdges:
    """Edges at one moment, for Rich to print in as many columns as there are."""

    def __init__(self, edges: Sequence[EdgeNow], total: Total, *, hidden: int, problem: str | None) -> None:
        self._edges = edges
        self._total = total
        self._hidden = hidden
        self._problem = problem

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        gap = 2 if wide else 1
        table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
        headings = _HEADINGS if wide else _SHORT_HEADINGS
        rows = [_render_edge(edge) for edge in self._edges]
        last = _render_total(self._total)
        rest = sum(max(map(len, column)) + gap for column in list(zip(headings, *rows, last, strict=True))[1:])
        room = max(options.max_width - rest - (_CLOSED if wide else 0), _NAME)
        for heading in headings:
            table.add_column(heading, justify="left" if heading in ("edge", "ready") else "right", no_wrap=True)
        if wide:
            table.add_column("closed")
        for edge, (name, *cells) in zip(self._edges, rows, strict=True):
            closed = [_format_closed(edge.closed)] if wide else []
            table.add_row(_cut(name, room), *cells, *closed, style=_style(edge))
        table.add_row(*last, *([_format_closed(self._total.closed)] if wide else []), style="bold")
        yield table
        yield from self._render_notes(wide=wide)

    def _render_notes(self, *, wide: bool) -> Iterable[Text]:
        if self._hidden:
            yield Text(f"and {self._hidden} more", "dim")
        if self._total.closed and not wide:
            yield Text(f"closed: {_format_closed(self._total.closed)}", "dim")
        if self._problem is not None:
            yield Text(self._problem, "red")


def format_edge(edge: EdgeNow) -> str:
    """Return an edge as one line."""
    name, state, connections, *figures = _render_edge(edge)
    ready = {"yes": "ready", "no": "not ready"}.get(state, state)
    return _join([name, ready], connections, figures, edge.closed)


def format_total(total: Total) -> str:
    """Return what all edges do together as one line."""
    name, ready, connections, *figures = _render_total(total)
    return _join([name, f"{ready} ready"], connections, figures, total.closed)


def format_short(number: float) -> str:
    """Return a number in at most 5 characters: `0`, `0.25`, `999`, `12.3k`, `1.20M`."""
    for unit in ("", "k", "M", "G", "T"):
        if number < 999.5 or unit == "T":
            break
        number /= 1000
    if not unit and number == int(number):
        return f"{number:.0f}"
    return (
        f"{number:.2f}{unit}" if number < 9.995 else f"{number:.1f}{unit}" if number < 99.95 else f"{number:.0f}{unit}"
    )


def format_uptime(seconds: float) -> str:
    """Return a time in its greatest unit: `42s`, `3m`, `2h`, `5d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.0f}s"


def _measure(before: EdgeStats, after: EdgeStats, seconds: float) -> Rates:
    return Rates(
        events=round((after.events - before.events) / seconds, 3),
        # What a blocked connection did not take is taken back, so these two may fall.
        deliveries=round(max(0, after.deliveries - before.deliveries) / seconds, 3),
        bytes=round(max(0, after.bytes - before.bytes) / seconds, 3),
    )


def _render_edge(edge: EdgeNow) -> list[str]:
    stats = edge.stats
    connections = _PAUSE if edge.gone is not None else f"{format_short(stats.live)}/{format_short(stats.behind)}"
    figures = [format_short(stats.lag), format_short(stats.tail_bytes), format_uptime(stats.uptime)]
    if edge.gone is not None:
        figures = [_PAUSE] * 3
    return [stats.name, edge.state, connections, *_render_rates(edge.rates), *figures]


def _render_total(total: Total) -> list[str]:
    connections = f"{format_short(total.live)}/{format_short(total.behind)}"
    return ["total", f"{total.ready}/{total.edges}", connections, *_render_rates(total.rates), "", "", ""]


def _render_rates(rates: Rates | None) -> list[str]:
    if rates is None:
        return [_PAUSE] * 3
    return [format_short(rates.events), format_short(rates.deliveries), format_short(rates.bytes / 1e6)]


def _join(parts: list[str], connections: str, figures: list[str], closed: Mapping[str, int]) -> str:
    if connections != _PAUSE:
        parts += [f"{connections} live/behind"]
        units = ("{} events/s", "{} deliveries/s", "{} MB/s", "lag {}", "tail {}", "up {}")
        parts += [unit.format(figure) for unit, figure in zip(units, figures, strict=True) if figure]
    if closed:
        parts.append(f"closed {_format_closed(closed)}")
    return "  ".join(parts)


def _format_closed(closed: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {number}" for reason, number in sorted(closed.items()))


def _style(edge: EdgeNow) -> str:
    return "red" if edge.gone is not None else "" if edge.stats.ready else "yellow"


def _cut(name: str, room: int) -> str:
    """Return a name in so many characters. Names of pods differ in their ends."""
    return name if len(name) <= room else f"…{name[-(room - 1) :]}"
