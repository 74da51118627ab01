from datetime import UTC, datetime

import msgspec
import pytest
from tailrace_protocol.errors import InvalidTopic
from tailrace_protocol.events import TERMINAL_TYPES
from tailrace_protocol.jobs import JobError, JobState, JobStatus, JobStep, JobWarning, StepStatus, format_job_topic
from tailrace_protocol.topics import check_topic

TIME = datetime(2026, 1, 31, tzinfo=UTC)


def test_the_statuses_that_end_a_job_are_the_types_that_do() -> None:
    assert {status.value for status in JobStatus if status.terminal} == TERMINAL_TYPES


def test_a_state_is_written_without_what_it_does_not_say() -> None:
    assert msgspec.json.encode(JobState("import-42", JobStatus.RUNNING)) == b'{"id":"import-42","status":"running"}'


def test_a_whole_state_is_written_and_read() -> None:
    state = JobState(
        id="import-42",
        status=JobStatus.FAILED,
        user="7",
        title="Import",
        done=3,
        total=10,
        failed=1,
        percent=30.0,
        rate=1.5,
        eta=4.7,
        step="parse",
        steps=[JobStep("read", StepStatus.COMPLETE, 2, 100.0, "jobs.import-42-read")],
        message="row 3",
        warnings=[JobWarning("row 2 is empty", TIME, {"row": 2})],
        warned=1,
        metadata={"file": "a.csv"},
        result=[1],
        error=JobError("ValueError", "bad row"),
        started=TIME,
        updated=TIME,
        ended=TIME,
        attempt=2,
        parent="jobs.night",
        cancelling=True,
        lease=30.0,
    )

    assert msgspec.json.decode(msgspec.json.encode(state), type=JobState) == state
    assert {name for name in JobState.__struct_fields__ if not getattr(state, name)} == set()


def test_states_do_not_share_what_can_change() -> None:
    first, second = (JobState("1", JobStatus.RUNNING) for _ in range(2))

    assert first.warnings is not second.warnings
    assert first.metadata is not second.metadata


@pytest.mark.parametrize(
    ("job", "user", "topic"),
    [
        ("7f3a", None, "jobs.7f3a"),
        ("7f3a", "42", "users.42.jobs.7f3a"),
        ("a.b c", "x@y.z", "users.x@y%2Ez.jobs.a%2Eb%20c"),
        ("*", ">", "users.%3E.jobs.%2A"),
    ],
)
def test_topics(job: str, user: str | None, topic: str) -> None:
    assert check_topic(format_job_topic(job, user)) == topic


@pytest.mark.parametrize(
    ("job", "user"), [("", None), ("1", ""), ("\ud800", None), ("x" * 196, None), (" " * 50, "7" * 50)]
)
def test_refuses_what_makes_no_topic(job: str, user: str | None) -> None:
    with pytest.raises(InvalidTopic):
        format_job_topic(job, user)


@pytest.mark.parametrize(("job", "user", "named"), [("", "7", "the id of a job"), ("1", "", "the owner of a job")])
def test_says_which_of_them_is_empty(job: str, user: str, named: str) -> None:
    with pytest.raises(InvalidTopic, match=named):
        format_job_topic(job, user)
