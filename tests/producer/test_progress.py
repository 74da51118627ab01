from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_producer.progress import (
    MAX_METADATA_BYTES,
    MAX_TEXT,
    MAX_WARNINGS,
    RATE_SPAN,
    Meter,
    Progress,
    compute_eta,
    compute_percent,
    copy_data,
    cut,
)
from tailrace_protocol.errors import EventTooLarge, InvalidData
from tailrace_protocol.jobs import JobState, JobStatus, JobWarning

TIME = datetime(2026, 1, 1, tzinfo=UTC)


def make_progress(*, total: float | None = None, metadata: dict[str, Any] | None = None) -> Progress:
    progress = Progress("j", user=None, title=None, total=total, metadata=metadata)
    progress.start(0.0, TIME)
    return progress


def test_rate_of_steady_work_is_exact_from_the_third_sample_on() -> None:
    meter = Meter()
    rates = []
    for second in range(6):
        meter.sample(second * 7, float(second))
        rates.append(meter.rate)

    assert rates[:3] == [None, None, None]
    assert rates[3:] == pytest.approx([7.0] * 3)


def test_rate_follows_a_change_of_speed_within_some_spans() -> None:
    meter = Meter()
    done = 0.0
    for second in range(100):
        meter.sample(done, float(second))
        done += 10
    for step in range(int(3 * RATE_SPAN)):
        meter.sample(done, 100.0 + step)
        done += 20

    assert meter.rate == pytest.approx(20, rel=0.06)


def test_rate_does_not_depend_on_how_often_it_is_sampled() -> None:
    often, seldom = Meter(), Meter()
    for tick in range(1001):
        often.sample(tick * 0.3, tick * 0.1)
    for tick in range(0, 1001, 50):
        seldom.sample(tick * 0.3, tick * 0.1)

    assert often.rate == pytest.approx(3.0)
    assert seldom.rate == pytest.approx(3.0)


def test_rate_falls_when_work_stalls() -> None:
    meter = Meter()
    for second in range(10):
        meter.sample(second * 5, float(second))
    meter.sample(45, 9 + RATE_SPAN)

    assert meter.rate is not None
    assert 0 < meter.rate < 2.5


def test_rate_starts_anew_when_units_go_back() -> None:
    meter = Meter()
    for second in range(10):
        meter.sample(second * 5, float(second))
    meter.sample(3, 10.0)

    assert meter.rate is None


def test_samples_at_the_same_instant_are_one() -> None:
    meter = Meter()
    for _ in range(10):
        meter.sample(5, 1.0)

    assert meter.rate is None


@pytest.mark.parametrize(
    ("done", "total", "percent"),
    [
        (0, 10, 0),
        (5, 10, 50),
        (9_999_999, 10_000_000, 99.99),
        (10, 10, 100),
        (11, 10, 100),
        (-1, 10, 0),
        (0, 0, 100),
        (3, None, None),
    ],
)
def test_percent(done: float, total: float | None, percent: float | None) -> None:
    assert compute_percent(done, total) == percent


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_percent_stays_between_0_and_100(done: float, total: float) -> None:
    percent = compute_percent(done, total)

    assert percent is not None
    assert 0 <= percent <= 100


@pytest.mark.parametrize(
    ("done", "total", "rate", "eta"),
    [(25, 100, 5.0, 15.0), (100, 100, 5.0, 0.0), (101, 100, 5.0, None), (1, 100, None, None), (1, 100, 0.0, None),
     (1, None, 5.0, None), (1, 100, 1e-320, None)],
)  # fmt: skip
def test_eta(done: float, total: float | None, rate: float | None, eta: float | None) -> None:
    assert compute_eta(done, total, rate) == eta


def test_state_has_rate_and_eta_once_they_mean_something() -> None:
    progress = make_progress(total=100)
    states = []
    for second in range(1, 5):
        progress.done = second * 10
        states.append(progress.take_state(float(second), TIME))

    assert [state.eta for state in states] == [None, None, 7.0, 6.0]
    assert [state.rate for state in states] == [None, None, 10.0, 10.0]
    assert states[-1].percent == 40


def test_ended_state_has_no_eta() -> None:
    progress = make_progress(total=100)
    for second in range(1, 5):
        progress.done = second * 10
        progress.take_state(float(second), TIME)
    state = progress.take_state(5.0, TIME, JobStatus.COMPLETE, result=[1])

    assert (state.eta, state.ended, state.result) == (None, TIME, [1])


def test_numbers_of_any_kind_become_json() -> None:
    progress = make_progress()
    progress.update(total=float(Decimal("2.5")), failed=Fraction(1, 2))  # type: ignore[arg-type]  # callers do that
    progress.done = 1 << 70
    state = progress.take_state(1.0, TIME)

    assert msgspec.json.decode(msgspec.json.encode(state), type=JobState).failed == 0.5
    assert state.done == float(1 << 70)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "7", 10**400])
def test_numbers_that_json_cannot_carry_are_refused(number: Any) -> None:
    with pytest.raises(InvalidData, match="finite number"):
        make_progress().update(total=number)


def test_metadata_is_added_to_and_not_shared_with_the_caller() -> None:
    nested = {"tags": ["a"]}
    progress = make_progress(metadata=nested)
    nested["tags"].append("b")
    progress.add_metadata({"source": "s3"})

    assert progress.take_state(1.0, TIME).metadata == {"tags": ["a"], "source": "s3"}


def test_metadata_has_a_limit_and_stays_as_it_was() -> None:
    progress = make_progress(metadata={"a": 1})
    with pytest.raises(EventTooLarge) as refused:
        progress.add_metadata({"b": "x" * MAX_METADATA_BYTES})

    assert refused.value.limit == MAX_METADATA_BYTES
    assert progress.take_state(1.0, TIME).metadata == {"a": 1}


def test_newest_warnings_are_kept_and_all_counted() -> None:
    progress = make_progress()
    for number in range(MAX_WARNINGS + 5):
        progress.add_warning(JobWarning(str(number), TIME))
    state = progress.take_state(1.0, TIME)

    assert [warning.message for warning in state.warnings] == [str(n) for n in range(5, MAX_WARNINGS + 5)]
    assert state.warned == MAX_WARNINGS + 5


def test_text_is_cut_and_cleaned() -> None:
    assert cut("short") == "short"
    assert len(cut("x" * 5000)) == MAX_TEXT
    assert cut("file \udcff") == "file ?"


def test_data_is_copied_as_json() -> None:
    assert copy_data({"when": TIME, "set": (1, 2)}) == {"when": "2026-01-01T00:00:00Z", "set": [1, 2]}
    with pytest.raises(InvalidData):
        copy_data(object())


def test_attempts_are_counted_from_one() -> None:
    with pytest.raises(InvalidData, match="attempt"):
        Progress("j", user=None, title=None, total=None, metadata=None, attempt=0)
