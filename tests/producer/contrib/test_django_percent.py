"""Jobs of Django that are told in percent end at 100."""

from typing import Any

import pytest
from producer.contrib.conftest import Read

pytest.importorskip("django")

import producer.contrib.test_django  # noqa: F401  # configures Django
from tailrace_producer.contrib.django import JobTracker
from tailrace_protocol.errors import InvalidInput

pytestmark = pytest.mark.usefixtures("default_producer")


async def end(read: Read) -> dict[str, Any]:
    _, kind, state = (await read())[-1]
    assert kind == "complete"
    return {name: state.get(name) for name in ("done", "total", "percent")}


async def test_a_loop_over_a_hundred_ends_at_a_hundred(read: Read) -> None:
    tracker = JobTracker("one")
    tracker.send_start("Import")
    for percent in range(100):
        tracker.send_progress(percent)
    tracker.send_complete()

    assert await end(read) == {"done": 100, "total": 100, "percent": 100}


async def test_so_does_a_context_manager(read: Read) -> None:
    with JobTracker("one") as tracker:
        tracker.send_progress(40)

    assert await end(read) == {"done": 100, "total": 100, "percent": 100}


async def test_and_one_that_is_completed_in_its_block(read: Read) -> None:
    with JobTracker("one") as tracker:
        tracker.send_complete({"n": 1})

    assert await end(read) == {"done": 100, "total": 100, "percent": 100}


async def test_units_are_what_was_counted(read: Read) -> None:
    """Who says how many units there are is told how many were done, be they a hundred."""
    tracker = JobTracker("one", total=100)
    tracker.send_start()
    tracker.send_progress(99)
    tracker.send_complete()

    assert await end(read) == {"done": 99, "total": 100, "percent": 99}


async def test_a_total_at_the_start_makes_units_of_them(read: Read) -> None:
    tracker = JobTracker("one")
    tracker.send_start(total=9)
    tracker.send_progress(3)
    tracker.send_complete()

    assert await end(read) == {"done": 3, "total": 9, "percent": 33.33}


async def test_what_the_job_itself_counts_is_left_alone(read: Read) -> None:
    with JobTracker("one") as tracker:
        for _ in tracker.job.track(range(7)):
            pass

    assert await end(read) == {"done": 7, "total": 7, "percent": 100}


async def test_a_failure_is_where_it_was(read: Read) -> None:
    def work() -> None:
        with JobTracker("one") as tracker:
            tracker.send_progress(40)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        work()

    _, kind, state = (await read())[-1]
    assert (kind, state["percent"]) == ("failed", 40)


async def test_a_result_that_cannot_be_carried_ends_nothing(read: Read) -> None:
    tracker = JobTracker("one")
    tracker.send_start()
    with pytest.raises(InvalidInput):
        tracker.send_complete(object())
    tracker.send_complete("fine")

    assert await end(read) == {"done": 100, "total": 100, "percent": 100}
