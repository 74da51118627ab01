"""Targets: the figures to reach, each checked in the cases in which it was measured."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.figures import Figures

_MIB = 1 << 20

TAIL_BUDGET = 128 * _MIB
"""The edge's default: what replay and slow readers may make it grow by."""


class Verdict(NamedTuple):
    """Whether a target is reached.

    Attributes:
        figure: what it is about.
        case: in which case.
        goal: what is to be reached.
        found: what was.
        reached: whether that is enough.
    """

    figure: str
    case: str
    goal: str
    found: str
    reached: bool


Check = Callable[[Figures], Iterator[Verdict]]


def check_all(figures: Figures) -> list[Verdict]:
    """Return a verdict for each target in each case that was measured."""
    return [verdict for check in _CHECKS for verdict in check(figures)]


def _ratio(
    figure: str, scenario: str, name: str, peer: str, peer_title: str, goal: float, *, most: bool = True
) -> Check:
    """Return a check of Tailrace's figure divided by a peer's: at most `goal`, or at least."""

    def check(figures: Figures) -> Iterator[Verdict]:
        for case in figures.list_cases(scenario):
            own = figures.find(scenario, case, "tailrace", name)
            other = figures.find(scenario, case, peer, name)
            if own and other:
                ratio = own / other
                goal_text = f"{'<=' if most else '>='} {goal:g} x {peer_title}"
                yield Verdict(figure, case, goal_text, f"{ratio:.2f} x", ratio <= goal if most else ratio >= goal)

    return check


def _bound(
    figure: str,
    scenario: str,
    name: str,
    goal: float,
    unit: str,
    *,
    only: str = "",
    most: bool = True,
    scale: float = 1.0,
    digits: int = 0,
) -> Check:
    """Return a check of one of Tailrace's figures, in the cases whose name holds `only`."""

    def check(figures: Figures) -> Iterator[Verdict]:
        for case in figures.list_cases(scenario):
            own = figures.find(scenario, case, "tailrace", name)
            if own is None or only not in case:
                continue
            value = own * scale
            text = f"{'<=' if most else '>='} {goal:,g} {unit}".strip()
            found = f"{value:,.{digits}f} {unit}".strip()
            yield Verdict(figure, case, text, found, value <= goal if most else value >= goal)

    return check


def _returned(figures: Figures) -> Iterator[Verdict]:
    for case in figures.list_cases("resumes"):
        before, after = (figures.find("resumes", case, "tailrace", f"rss_{when}_bytes") for when in ("before", "after"))
        if before and after and case.startswith("tail"):
            share = after / before
            yield Verdict("(g) edge memory afterwards", case, "<= 1.1 x before", f"{share:.2f} x", share <= 1.1)


def _grown(figures: Figures) -> Iterator[Verdict]:
    for case in figures.list_cases("resumes"):
        before, peak = (figures.find("resumes", case, "tailrace", name) for name in ("rss_before_bytes", "peak_bytes"))
        if before and peak and case.startswith("JetStream"):
            growth = peak - before
            found = f"{growth / _MIB:.0f} MiB"
            yield Verdict("(g) edge memory at its peak", case, "<= 128 MiB more", found, growth <= TAIL_BUDGET)


def _slow_latency(figures: Figures) -> Iterator[Verdict]:
    cases = figures.list_cases("slow")
    if len(cases) == 2:
        without, with_slow = (figures.find("slow", case, "tailrace", "fast_p99_ms") for case in cases)
        if without and with_slow:
            ratio = with_slow / without
            yield Verdict(
                "(h) p99 of the others", cases[1], "<= 1.5 x without slow ones", f"{ratio:.2f} x", ratio <= 1.5
            )


def _slow_complete(figures: Figures) -> Iterator[Verdict]:
    for case in figures.list_cases("slow")[1:]:
        names = ("slow_clients", "slow_contiguous", "slow_last_min", "published_a_topic", "losses")
        values = [figures.find("slow", case, "tailrace", name) for name in names]
        if None not in values:
            clients, contiguous, last, published, losses = values
            whole = clients == contiguous and last == published and not losses
            yield Verdict(
                "(h) slow clients complete, in order", case, "all", f"{contiguous:,.0f} of {clients:,.0f}", whole
            )


def _scaled(figures: Figures) -> Iterator[Verdict]:
    one, two = (figures.find("scale", case, "tailrace", "capacity_per_s") for case in ("1 edge", "2 edges"))
    if one and two:
        yield Verdict("(i) capacity", "2 edges", ">= 1.8 x one", f"{two / one:.2f} x", two / one >= 1.8)


_CHECKS: tuple[Check, ...] = (
    _ratio("(a) CPU a delivery", "fanout", "server_us", "limit", "C loop", 1.35),
    _ratio("(a) CPU a delivery", "fanout", "server_us", "nchan", "nchan", 1.0),
    _ratio("(b) saturated deliveries/s", "bursts", "deliveries_per_s", "limit", "C loop", 5, most=False),
    _ratio("(b) saturated deliveries/s", "bursts", "deliveries_per_s", "nchan", "nchan", 5, most=False),
    _ratio("(c) CPU an event", "topics", "server_event_us", "nats-py", "nats-py", 0.5),
    _bound("(c) p99 latency", "topics", "p99_ms", 20, "ms", only="at 5,000/s", digits=1),
    _bound("(e) memory a connection", "idle", "growth_bytes", 4, "KiB", scale=1 / 1024, digits=2),
    _bound("(f) connects/s", "connects", "connects_per_s", 4000, "", most=False),
    _bound("(f) failed connects", "connects", "failed", 0, ""),
    _bound("(g) all served from the tail", "resumes", "seconds_s", 4, "s", only="tail", digits=2),
    _bound("(g) broker CPU, tail", "resumes", "broker_s", 0.1, "s", only="tail", digits=2),
    _returned,
    _bound("(g) longest wait, JetStream", "resumes", "wait_max_ms", 30, "s", only="JetStream", scale=1e-3, digits=1),
    _bound("(g) live clients' p99 meanwhile", "resumes", "live_p99_ms", 500, "ms", only="JetStream", digits=1),
    _grown,
    _slow_latency,
    _slow_complete,
    _bound("(h) memory growth", "slow", "growth_bytes", 128, "MiB", scale=1 / _MIB),
    _scaled,
    _bound("(j) acknowledged/s", "producer", "events_per_s", 25_000, "", only="pipelined", most=False),
    _bound("(j) job update", "producer", "cpu_us", 2, "us", only="job update", digits=2),
    _bound("(j) a token of a text", "producer", "cpu_us", 1, "us", only="tokens of one", digits=2),
    _bound("(j) events for a late reader", "producer", "replayed", 300, "", only="late reader"),
)
