"""Parts of a job, and how far they take it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_producer.parts import MAX_STEPS, Parts, check_weight, compute_share
from tailrace_protocol.errors import InvalidData
from tailrace_protocol.jobs import JobStep, StepStatus


@pytest.mark.parametrize(
    ("done", "total", "share"),
    [(0, 10, 0), (5, 10, 0.5), (10, 10, 1), (11, 10, 1), (-1, 10, 0), (0, 0, 1), (3, None, 0), (-1, 0, 0)],
)
def test_share(done: float, total: float | None, share: float) -> None:
    assert compute_share(done, total) == share


def test_step_is_described() -> None:
    parts = Parts()
    step = parts.begin_step("load", None)
    assert parts.describe() == [JobStep("load", StepStatus.RUNNING)]
    step.update(1, 3)
    assert parts.describe() == [JobStep("load", StepStatus.RUNNING, percent=33.33)]
    parts.end(step, StepStatus.FAILED)
    assert parts.describe() == [JobStep("load", StepStatus.FAILED, percent=33.33)]


def test_complete_step_has_all_of_its_percent() -> None:
    parts = Parts()
    parts.end(parts.begin_step("load", 2), StepStatus.COMPLETE)

    assert parts.describe() == [JobStep("load", StepStatus.COMPLETE, 2, 100)]


def test_newest_parts_are_listed_and_all_counted() -> None:
    parts = Parts()
    for number in range(MAX_STEPS + 5):
        parts.begin_child(str(number), 1, f"jobs.{number}").update(1, 2)

    assert [step.name for step in parts.describe()] == [str(number) for number in range(5, MAX_STEPS + 5)]
    assert parts.describe()[0].job == "jobs.5"
    assert parts.reached == (MAX_STEPS + 5) / 2


def test_weights_come_from_the_plan_once() -> None:
    parts = Parts()
    assert parts.plan({"query": 3, "render": 1}) == 4

    assert [parts.begin_step(name, None).counts for name in ("query", "query", "other", "render")] == [3, 0, 0, 1]
    assert parts.begin_step("more", 2).counts == 2


def test_without_plan_and_weight_a_step_counts_nothing() -> None:
    parts = Parts()
    step = parts.begin_step("load", None)

    assert step.counts == 0
    assert step.describe().weight == 1


def test_later_plan_counts_what_runs() -> None:
    parts = Parts()
    parts.plan({"query": 3})
    parts.begin_step("query", None)

    assert parts.plan({"render": 1}) == 4


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "7"])
def test_weights_that_are_none(weight: Any) -> None:
    with pytest.raises(InvalidData):
        check_weight(weight)
    with pytest.raises(InvalidData):
        Parts().plan({"query": weight})


@given(st.lists(st.tuples(st.floats(-10, 10), st.none() | st.floats(0, 10))))
def test_what_is_reached_never_goes_back(updates: list[tuple[float, float | None]]) -> None:
    parts = Parts()
    step = parts.begin_step("load", 2)
    before = 0.0
    for done, total in updates:
        step.update(done, total)
        assert before <= parts.reached <= 2
        before = parts.reached
