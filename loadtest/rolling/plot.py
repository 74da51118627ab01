"""The plot: reconnects over time, with what was done to the edges, as SVG."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rolling.run import Phase, Run

_WIDTH, _HEIGHT = 960, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 56, 46

_STYLE = f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12" fill="#30363d"'

_BARS = 120
"""At most."""

_INTERVALS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_TICKS = 6

_COLOURS = {"drain": "#e0a030", "kill": "#d1495b"}


class Frame(NamedTuple):
    """Where a moment and a number stand in the picture.

    Attributes:
        began: at the left side; Unix seconds.
        seconds: that it shows.
        highest: number that it shows.
    """

    began: float
    seconds: float
    highest: float

    def x(self, moment: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (moment - self.began) / self.seconds

    def y(self, number: float) -> float:
        return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - number / self.highest)


def draw(run: Run) -> str:
    """Return the picture."""
    seconds = max(run.ended - run.began, 0.1)
    interval = choose_interval(seconds)
    bars = count_bars((reconnect.at for reconnect in run.reconnects), run.began, interval)
    frame = Frame(run.began, seconds, max(1, *bars.values()) * 1.1 if bars else 1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_STYLE}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-size="14">Reconnects of {run.clients:,} clients, in each {interval:g} s</text>',
        *(part for phase in run.phases for part in _draw_phase(frame, phase)),
        *_draw_bars(frame, bars, interval),
        *_draw_axes(frame),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def choose_interval(seconds: float) -> float:
    """Return the seconds of one bar."""
    return next((interval for interval in _INTERVALS if seconds / interval <= _BARS), seconds / _BARS)


def count_bars(moments: Iterable[float], began: float, interval: float) -> Counter[int]:
    """Return how many of the moments lie in each interval, by its number."""
    return Counter(int((moment - began) // interval) for moment in moments)


def _draw_phase(frame: Frame, phase: Phase) -> Iterator[str]:
    left, right, colour = frame.x(phase.began), frame.x(phase.ended), _COLOURS[phase.what]
    height = _HEIGHT - _TOP - _BOTTOM
    yield (
        f'<rect class="{phase.what}" x="{left:.1f}" y="{_TOP}" width="{max(1.5, right - left):.1f}" '
        f'height="{height}" fill="{colour}" fill-opacity="{0.25 if phase.what == "drain" else 1}"/>'
    )
    ready = frame.x(phase.ready)
    yield (
        f'<line x1="{ready:.1f}" x2="{ready:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" stroke="#5a8f4a" '
        'stroke-dasharray="3 3"/>'
    )
    text = f"{phase.edge} drains" if phase.what == "drain" else f"{phase.edge} is killed"
    yield f'<text x="{left:.1f}" y="{_TOP - 18}" fill="{colour}">{text}</text>'
    yield f'<text x="{ready:.1f}" y="{_TOP - 4}" fill="#5a8f4a" font-size="10" text-anchor="middle">back</text>'


def _draw_bars(frame: Frame, bars: Counter[int], interval: float) -> Iterator[str]:
    for number, count in sorted(bars.items()):
        left = frame.x(frame.began + number * interval)
        right = frame.x(frame.began + (number + 1) * interval)
        top = frame.y(count)
        yield (
            f'<rect class="bar" x="{left:.1f}" y="{top:.1f}" width="{max(1.0, right - left - 1):.1f}" '
            f'height="{_HEIGHT - _BOTTOM - top:.1f}" fill="#2e7d8c"><title>{count}</title></rect>'
        )


def _draw_axes(frame: Frame) -> Iterator[str]:
    bottom = _HEIGHT - _BOTTOM
    yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="#30363d"/>'
    for tick in _list_ticks(frame.highest):
        yield f'<text x="{_LEFT - 6}" y="{frame.y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
    for tick in _list_ticks(frame.seconds):
        yield f'<text x="{frame.x(frame.began + tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>'
    yield f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end">seconds</text>'


def _list_ticks(highest: float) -> list[float]:
    """Return round numbers from 0 to the highest."""
    step = next(
        size * 10.0**power for power in range(-2, 10) for size in (1, 2, 5) if highest / (size * 10.0**power) <= _TICKS
    )
    return [step * number for number in range(int(highest / step) + 1)]
