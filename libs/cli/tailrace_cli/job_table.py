"""Tables of jobs for the terminal: a row with a bar for each, the running ones first."""

import re
from collections import Counter
from collections.abc import Iterable

import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from tailrace_client import Event, JobState, JobStatus, Link, LinkState
from tailrace_protocol.events import DELETED
from tailrace_protocol.jobs import format_job_topic

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

_WIDE = 120
"""Columns of a terminal from which on there is room to spare."""

_STYLES = {
    JobStatus.RUNNING: "cyan",
    JobStatus.RETRYING: "yellow",
    JobStatus.WORKER_LOST: "yellow",
    JobStatus.COMPLETE: "green",
    JobStatus.FAILED: "red",
    JobStatus.CANCELLED: "magenta",
}
_LINK_STYLES = {LinkState.LIVE: "green", LinkState.STALE: "yellow", LinkState.OFFLINE: "red"}


class JobTable:
    """The newest state of each job, and how the stream that brings them is connected.

    It may be rendered in one thread and changed in another.
    """

    def __init__(self, states: Iterable[JobState] = ()) -> None:
        self._states: dict[str, JobState] = {}
        self._link = Link()
        self.replace(states)

    def replace(self, states: Iterable[JobState]) -> list[JobState]:
        """Forget all jobs but these, and return them."""
        kept = [_clean(state) for state in states]
        self._states = {format_job_topic(state.id, state.user): state for state in kept}
        return kept

    def take(self, event: Event) -> JobState | None:
        """Take in what happened on a job's topic, and return the job's state; None if there is no job any more."""
        if event.type == DELETED:
            self._states.pop(event.topic, None)
            return None
        try:
            state = _clean(msgspec.convert(event.data, JobState))
        except msgspec.ValidationError:
            return None  # something else that a foreign writer put there
        self._states[event.topic] = state
        return state

    def observe(self, link: Link) -> None:
        """Take in how the stream is connected."""
        self._link = link

    def sort(self) -> list[JobState]:
        """Return the states: the running ones by age, then the ended ones, newest first."""
        states = list(self._states.values())
        running = [state for state in states if not state.status.terminal]
        ended = [state for state in states if state.status.terminal]
        running.sort(key=lambda state: state.started.timestamp() if state.started else 0.0)
        ended.sort(key=lambda state: state.ended.timestamp() if state.ended else 0.0, reverse=True)
        return running + ended

    def render(self, *, limit: int | None) -> "RenderedJobs":
        """Return what to print, with at most `limit` rows."""
        states = self.sort()
        shown = states if limit is None else states[: max(limit, 1)]
        return RenderedJobs(shown, self._render_caption(len(states) - len(shown)))

    def _render_caption(self, hidden: int) -> Text | None:
        parts = []
        if hidden:
            parts.append(Text(f"and {hidden} more"))
        elif not self._states:
            parts.append(Text("no jobs"))
        if self._link.edge is not None or self._link.reason is not None:
            at = f" at {self._link.edge}" if self._link.state is LinkState.LIVE else f": {self._link.reason}"
            parts.append(Text(f"● {self._link.state}{at}", _LINK_STYLES.get(self._link.state, "dim")))
        return Text("  ").join(parts) if parts else None


class RenderedJobs:
    """Jobs at one moment, for Rich to print in as many columns as there are."""

    def __init__(self, states: list[JobState], caption: Text | None) -> None:
        self._states = states
        self._caption = caption

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        padding = (0, 2 if wide else 1, 0, 0)
        table = Table(box=None, pad_edge=False, padding=padding, header_style="dim", caption_justify="left")
        titles = Counter(state.title or "" for state in self._states)
        repeated = any(title and count > 1 for title, count in titles.items())
        # Rich takes what it lacks from the columns that may wrap; their cells are cut instead.
        table.add_column("job", no_wrap=repeated, max_width=options.max_width * 3 // 10)
        table.add_column("", no_wrap=True)
        for heading in ("", "done", "rate", "left"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("at")
        for state in self._states:
            table.add_row(*_render_row(state, wide=wide, ambiguous=titles[state.title or ""] > 1))
        table.caption = self._caption
        yield table


def format_job(state: JobState) -> str:
    """Return a job as one line."""
    parts = [format_job_topic(state.id, state.user), state.status.value]
    if state.title:
        parts.append(state.title)
    if state.percent is not None:
        parts.append(f"{state.percent:.1f} %")
    if done := _format_done(state):
        parts.append(f"{done} done")
    if state.status.terminal:
        parts.append(_format_end(state).removeprefix(": "))
    else:
        parts += [part for part in (_format_rate(state), _format_trouble(state), state.step, state.message) if part]
        if state.eta is not None:
            parts.append(f"{format_seconds(state.eta)} left")
    return "  ".join(part for part in parts if part)


def format_seconds(seconds: float) -> str:
    """Return a time as people say it: `0.8 s`, `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _clean(state: JobState) -> JobState:
    """Return the state without line ends and escape sequences, which whoever publishes could put into a terminal."""
    title, step, message = (text and _CONTROL.sub(" ", text) for text in (state.title, state.step, state.message))
    error = state.error
    if error is not None:
        error = msgspec.structs.replace(error, message=_CONTROL.sub(" ", error.message))
    return msgspec.structs.replace(state, title=title, step=step, message=message, error=error)


def _render_row(state: JobState, *, wide: bool, ambiguous: bool) -> list[Text | ProgressBar | str]:
    style = _STYLES[state.status]
    bar = ProgressBar(
        total=None if state.percent is None and not state.status.terminal else 100,
        completed=100 if state.percent is None else state.percent,
        width=28 if wide else 12,
        # What nobody works on must not look alive.
        pulse=state.percent is None and state.status is JobStatus.RUNNING,
        complete_style=style,
        finished_style=style,
    )
    return [
        _render_name(state, wide=wide, ambiguous=ambiguous),
        bar,
        Text("" if state.percent is None else f"{state.percent:3.0f} %", style),
        _format_done(state),
        "" if state.status.terminal else _format_rate(state),
        format_seconds(state.eta) if state.eta is not None and not state.status.terminal else "",
        _render_end(state, style),
    ]


def _render_name(state: JobState, *, wide: bool, ambiguous: bool) -> Text:
    topic = format_job_topic(state.id, state.user)
    if not state.title:
        return _cut(Text(topic))
    if not ambiguous:
        return _cut(Text(state.title))
    return _cut(Text.assemble(state.title, "  ", (topic, "dim")) if wide else Text(topic, "dim"))


def _render_end(state: JobState, style: str) -> Text:
    if not state.status.terminal:
        trouble = _format_trouble(state)
        at = state.step or state.message or ""
        return _cut(Text.assemble((trouble, style), ": " if trouble and at else "", at))
    end = _format_end(state)
    separator = "" if not end or end.startswith(":") else " "
    return _cut(Text(f"{state.status}{separator}{end}", style))


def _cut(text: Text) -> Text:
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _format_done(state: JobState) -> str:
    """Return what was counted; nothing of a job that counts nothing."""
    if state.total is None:
        return f"{state.done:,.10g}" if state.done else ""
    return f"{state.done:,.10g}/{state.total:,.10g}"


def _format_rate(state: JobState) -> str:
    return "" if state.rate is None else f"{state.rate:,.3g}/s" if state.rate < 100 else f"{state.rate:,.0f}/s"


def _format_trouble(state: JobState) -> str:
    """Return what people should know of a job that has not ended, beside how far it is."""
    match state.status:
        case JobStatus.WORKER_LOST:
            return "no sign of its worker"
        case JobStatus.RETRYING:
            reason = f": {state.error.message}" if state.error is not None else ""
            return f"attempt {state.attempt} failed{reason}"
        case _ if state.cancelling:
            return "cancelling"
        case _ if state.attempt > 1:
            return f"attempt {state.attempt}"
        case _:
            return ""


def _format_end(state: JobState) -> str:
    """Return how it went after the status, like `after 2 min 5 s: disk full` or `: disk full`."""
    took = (
        f"after {format_seconds((state.ended - state.started).total_seconds())}"
        if state.started is not None and state.ended is not None
        else ""
    )
    reason = f": {state.error.message}" if state.error is not None else ""
    return f"{took}{reason}"
