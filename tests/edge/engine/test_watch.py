import pytest
from edge.engine.samples import make_entry
from tailrace_edge.engine.subscriber import Watch


def see(watch: Watch, *events: tuple[str, str]) -> Watch:
    for path, event_type in events:
        watch.see(make_entry(watch.since + 1, path, event_type))
    return watch


def test_exact_pattern_is_a_job_before_it_has_begun() -> None:
    watch = Watch(("acme.build",), 0, {})

    assert not watch.ended
    assert not see(watch, ("acme.build", "progress")).ended
    assert see(watch, ("acme.build", "complete")).ended


@pytest.mark.parametrize(
    ("path", "is_job"),
    [
        ("acme.jobs.a", True),
        ("acme.users.7.jobs.a", True),
        ("acme.jobs", False),
        ("acme.jobs.a.b", False),
        ("acme.users.7.jobs", False),
        ("acme.teams.7.jobs.a", False),
        ("acme.users.7.tasks.a", False),
    ],
)
def test_wildcard_finds_jobs_by_their_topics(path: str, is_job: bool) -> None:
    assert see(Watch(("acme.>",), 0, {}), (path, "complete")).ended is is_job


def test_no_job_at_all_is_no_end() -> None:
    assert not Watch(("acme.jobs.*",), 7, {"acme.x": True}).ended


@pytest.mark.parametrize("terminal", [{"acme.jobs.a": True}, {"acme.jobs.a": True, "acme.jobs.b": True}])
def test_all_may_have_ended_before(terminal: dict[str, bool]) -> None:
    watch = Watch(("acme.jobs.*",), 7, terminal)

    assert (watch.ended, watch.since) == (True, 7)


def test_last_end_counts() -> None:
    watch = Watch(("acme.jobs.*",), 7, {"acme.jobs.a": True, "acme.jobs.b": False})
    see(watch, ("acme.jobs.c", "start"), ("acme.jobs.b", "failed"))
    assert not watch.ended

    see(watch, ("acme.jobs.c", "cancelled"))
    assert (watch.ended, watch.since) == (True, 10)


def test_deleted_job_has_ended() -> None:
    assert see(Watch(("acme.jobs.a",), 0, {}), ("acme.jobs.a", "deleted")).ended


def test_job_that_starts_again_is_open_again() -> None:
    watch = Watch(("acme.jobs.a", "acme.jobs.b"), 0, {})
    see(watch, ("acme.jobs.a", "complete"), ("acme.jobs.a", "start"), ("acme.jobs.b", "complete"))
    assert not watch.ended

    assert see(watch, ("acme.jobs.a", "complete")).ended


def test_what_was_seen_is_not_seen_again() -> None:
    watch = Watch(("acme.jobs.a", "acme.jobs.b"), 0, {})
    a_ends, b_ends = make_entry(1, "acme.jobs.a", "complete"), make_entry(2, "acme.jobs.b", "complete")
    b_starts, a_starts = make_entry(3, "acme.jobs.b", "start"), make_entry(0, "acme.jobs.a", "start")
    watch.see(a_ends)
    watch.see(a_starts)
    assert watch.open == {"acme.jobs.b"}

    watch.see(b_ends)
    watch.see(b_starts)
    assert (watch.ended, watch.since) == (True, 2)
