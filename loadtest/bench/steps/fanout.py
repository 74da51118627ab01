"""Fan-out: from entries to what is written to whom."""

from collections.abc import Iterable, Sequence

from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.entry import Entry, Format
from tailrace_edge.engine.hub import Hub, Interest

from bench.load import Load, Numbers, Topics
from bench.scenarios.tenant import PATTERNS, PROJECT, TEAM
from bench.steps.messages import TENANT, make_entries, make_messages, make_messages_on, split_ticks
from bench.steps.step import Sizes, Step, Stopwatch
from bench.steps.streams import NOW, make_engine, make_interests


def match(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Find the one group that watches an event's topic."""
    entries = make_entries(make_messages(sizes.events, sizes.topics))
    return _match(make_interests(sizes.topics), entries, stopwatch)


def match_wildcards(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Find the groups that watch an event's topic by wildcards; it is not the topic's first event."""
    interests = [_make_user(number) for number in range(sizes.users)]
    return _match(interests, make_entries(make_messages_on(_choose_topics(sizes))), stopwatch)


def decode(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Decode what is stored."""
    entries = make_entries(make_messages(sizes.events, sizes.topics))
    with stopwatch:
        events = [entry.event for entry in entries]
    return len(events)


def frame(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Encode for the wire what is decoded."""
    entries = make_entries(make_messages(sizes.events, sizes.topics))
    events = [entry.event for entry in entries]
    with stopwatch:
        for entry in entries:
            entry.frame(Format.SSE)
    return len(events)


def append(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """Have the engine do all of this, for one watcher of each topic; it is not the topic's first event."""
    entries = make_entries(make_messages(sizes.topics + sizes.events, sizes.topics))
    engine = make_engine(make_interests(sizes.topics))
    engine.append(entries[: sizes.topics], NOW)
    return _append(engine, split_ticks(entries[sizes.topics :]), stopwatch)


def append_shared(sizes: Sizes, stopwatch: Stopwatch) -> int:
    """The same for many watchers of one topic, event by event."""
    entries = make_entries(make_messages(sizes.events, 1))
    return _append(make_engine(make_interests(1) * sizes.watchers), [[entry] for entry in entries], stopwatch)


def _match(interests: Iterable[Interest], entries: Sequence[Entry], stopwatch: Stopwatch) -> int:
    hub = Hub()
    for interest in interests:
        hub.join(interest)
    for entry in entries:
        hub.match(entry.path)
    with stopwatch:
        for entry in entries:
            for group in hub.match(entry.path):
                group.notices(entry)
    return len(entries)


def _append(engine: Engine, ticks: Iterable[Sequence[Entry]], stopwatch: Stopwatch) -> int:
    before = engine.counts.events
    with stopwatch:
        for entries in ticks:
            engine.append(entries, NOW)
    return engine.counts.events - before


def _make_user(number: int) -> Interest:
    fields = {"i": number, "a": number // TEAM, "b": number // PROJECT}
    return Interest(tuple(sorted(f"{TENANT}.{pattern.format(**fields)}" for pattern in PATTERNS)))


def _choose_topics(sizes: Sizes) -> list[str]:
    """Return topics of events in the shares that the scenario of the mixed tenant has them."""
    groups = (
        Topics("users", sizes.users, 0.55, "jobs.import"),
        Topics("orders.eu", sizes.users, 0.1),
        Topics("teams", sizes.users // TEAM, 0.2, "chat"),
        Topics("projects", sizes.users // PROJECT, 0.14, "build.log"),
        Topics("announcements", 1, 0.01),
    )
    return [topic for topic, _, _ in Numbers().choose(Load(sizes.events, topics=groups))]


STEPS = (
    Step("match", "events", match),
    Step("match, wildcards", "events", match_wildcards),
    Step("decode", "events", decode),
    Step("frame", "events", frame),
    Step("engine, one watcher each", "events", append),
    Step("engine, {watchers:,} watchers", "events", append_shared),
)
