"""Leases of jobs: which have lapsed, by a clock that the tests turn. What is said in the log: tests/integration."""

from collections.abc import Callable

import msgspec
import pytest
from tailrace_edge import workers as module
from tailrace_edge.engine.entry import Entry
from tailrace_edge.leader import StoredMessage
from tailrace_edge.workers import Workers, _lose


class FakeFollower:
    """What `Workers` looks at; the real one does not wait for a test's clock."""

    def __init__(self) -> None:
        self.heard_at = 0.0
        self.lag = 0
        self.ready = True

    def on_entries(self, callback: object) -> None:
        """Nothing comes from here."""


class FakeJetStream:
    """A log whose newest message of each job is the first one, and the watch's next turns meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None
        self.published: list[str] = []

    async def read_message(self, *, last_by_subj: str) -> StoredMessage:
        self.meanwhile()
        payload = msgspec.json.encode(
            {"type": "progress", "time": "2026-01-31T00:00:00Z", "data": {"status": "running"}}
        )
        return StoredMessage(1, last_by_subj, payload, "2026-01-31T00:00:00Z")

    async def publish_event(self, subject: str, _payload: bytes, _headers: dict[str, str]) -> int:
        self.published.append(subject)
        return 2


class Watch:
    """Workers, and the clock they go by."""

    def __init__(self) -> None:
        self.now = 0.0
        self.follower = FakeFollower()
        self.jetstream = FakeJetStream()
        self.workers = Workers(
            self.jetstream,  # type: ignore[arg-type]  # it has what is needed here
            self.follower,  # type: ignore[arg-type]  # see above
            None,  # type: ignore[arg-type]  # nothing is read here
            lambda: self.now,
        )

    def turn(self, seconds: float, *, heard: bool = True) -> list[str]:
        """Let time pass, and return whose lease has lapsed."""
        self.now += seconds
        if heard:
            self.follower.heard_at = self.now
        return self.workers.find_lapsed()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(module, "_SPREAD", 0.0)
    return Watch()


def make_entry(sequence: int, path: str = "acme.jobs.1", lease: float = 30.0, data: object = None) -> Entry:
    payload = msgspec.json.encode({"type": "progress", "time": "2026-01-31T00:00:00Z", "data": data})
    return Entry("5f2c91ab", sequence, path, payload, 0, lease=lease)


def test_a_lease_lapses_after_its_time(watch: Watch) -> None:
    watch.workers.note([make_entry(1), make_entry(2, "acme.jobs.2", 60.0)])

    assert watch.turn(29.9) == []
    assert watch.turn(0.1) == ["acme.jobs.1"]
    assert watch.turn(30.0) == ["acme.jobs.1", "acme.jobs.2"]


def test_each_event_renews_it(watch: Watch) -> None:
    watch.workers.note([make_entry(1)])
    assert watch.turn(20.0) == []
    watch.workers.note([make_entry(2)])

    assert watch.turn(29.0) == []
    assert watch.turn(1.0) == ["acme.jobs.1"]


def test_an_event_without_a_lease_ends_it(watch: Watch) -> None:
    watch.workers.note([make_entry(1), make_entry(2, lease=0.0)])

    assert watch.turn(100.0) == []


def test_while_the_broker_is_away_nobody_is_lost(watch: Watch) -> None:
    watch.workers.note([make_entry(1)])
    assert watch.turn(40.0, heard=False) == []

    # The workers were cut off too, and get a whole lease to come back.
    assert watch.turn(1.0) == []
    assert watch.turn(29.0) == []
    assert watch.turn(1.0) == ["acme.jobs.1"]


def test_an_edge_that_lags_does_not_know(watch: Watch) -> None:
    watch.workers.note([make_entry(1)])
    watch.follower.lag = 5
    assert watch.turn(31.0) == []

    watch.follower.lag = 0
    assert watch.turn(1.0) == ["acme.jobs.1"]


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param([make_entry(2, "acme.jobs.2", lease=0.0)], id="called-lost-by-another-edge-or-ended"),
        pytest.param([make_entry(1, "acme.jobs.2")], id="renewed"),
    ],
)
async def test_what_comes_of_a_job_while_another_is_settled_is_heeded(watch: Watch, newer: list[Entry]) -> None:
    watch.workers.note([make_entry(1), make_entry(1, "acme.jobs.2")])
    watch.jetstream.meanwhile = lambda: watch.workers.note(newer)
    for path in watch.turn(31.0):
        await watch.workers._settle(path)

    assert watch.jetstream.published == ["events.acme.jobs.1"]


async def test_a_job_that_ends_while_it_is_settled_is_left_alone(watch: Watch) -> None:
    watch.workers.note([make_entry(1)])
    watch.jetstream.meanwhile = lambda: watch.workers.note([make_entry(2, lease=0.0)])
    for path in watch.turn(31.0):
        await watch.workers._settle(path)

    assert watch.jetstream.published == []


@pytest.mark.parametrize("status", ["running", "retrying"])
def test_the_state_without_its_worker(status: str) -> None:
    state = {"id": "1", "status": status, "done": 3, "rate": 2.0, "eta": 5.0, "lease": 30.0, "own": [1]}

    assert _lose(make_entry(1, data=state)) == {"id": "1", "status": "worker_lost", "done": 3, "own": [1]}


@pytest.mark.parametrize("data", [None, 7, [], {}, {"status": "complete"}, {"status": "worker_lost"}, {"status": []}])
def test_what_is_no_job_that_runs_is_left_alone(data: object) -> None:
    assert _lose(make_entry(1, data=data)) is None
