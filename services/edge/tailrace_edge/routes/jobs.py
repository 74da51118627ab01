"""`/v1/{tenant}/jobs`: the same log, seen as jobs."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.responses import Response
from tailrace_protocol.commands import Command, CommandAnswer, CommandKind, format_command_subject
from tailrace_protocol.jobs import JobState, JobStatus
from tailrace_protocol.topics import quote_token

from tailrace_edge.auth.guard import Right
from tailrace_edge.edge import Edge
from tailrace_edge.engine.entry import Entry
from tailrace_edge.problems import Problem
from tailrace_edge.query import parse_paths
from tailrace_edge.routes.answers import Caller, OpenEdge, answer_json
from tailrace_edge.routes.topics import Limit, Page, bury, find_cursor, read_page

router = APIRouter(tags=["jobs"])

_CANCEL = msgspec.json.encode(Command(CommandKind.CANCEL))
_ANSWER_TIMEOUT = 2.0
"""Seconds in which a worker has to answer; that there is none is known at once."""

User = Annotated[str | None, Query(description="The jobs' owner; without it, all owners' and nobody's jobs.")]


@router.get("/v1/{tenant}/jobs", summary="Jobs and their state")
async def list_jobs(
    tenant: str,
    caller: Caller,
    edge: OpenEdge,
    user: User = None,
    status: Annotated[JobStatus | None, Query(description="Only jobs with this status.")] = None,
    limit: Limit = 1000,
    page: Page = None,
) -> Response:
    """Return `jobs`, `next` for the following page or null, and `cursor` to stream on from.

    With `status`, a page may hold fewer jobs than `limit` though there is a next one.
    """
    paths = _find_paths(tenant, "*", user)
    caller.require(tenant, Right.SUBSCRIBE, paths)
    cursor = find_cursor(edge)
    entries, following = await read_page(edge, paths, limit, page)
    states = [(entry, state) for entry in entries if (state := _read_state(entry)) is not None]
    # As the producer wrote it, and so the same as in the stream.
    jobs = [entry.event.data for entry, state in states if status is None or state.status == status]
    return answer_json({"jobs": jobs, "cursor": cursor, "next": following})


@router.get("/v1/{tenant}/jobs/{job:path}", summary="A job's state")
async def read_job(tenant: str, job: str, caller: Caller, edge: OpenEdge, user: User = None) -> Response:
    """Return the state of a job."""
    caller.require(tenant, Right.SUBSCRIBE, _find_paths(tenant, quote_token(job), user))
    entry = await _find_job(edge, tenant, job, user)
    return answer_json(entry.event.data)


@router.delete("/v1/{tenant}/jobs/{job:path}", summary="Delete a job")
async def delete_job(tenant: str, job: str, caller: Caller, edge: OpenEdge, user: User = None) -> Response:
    """Remove a job and what it logged; watchers get an event of type `deleted`. Returns its `id`."""
    caller.require(tenant, Right.DELETE, _find_paths(tenant, quote_token(job), user))
    entry = await _find_job(edge, tenant, job, user)
    logged = await edge.snapshots.list_paths([f"{entry.path}.>"])
    caller.require(tenant, Right.DELETE, logged)
    for path in logged:
        await bury(edge, tenant, path.partition(".")[2])
    return answer_json({"id": await bury(edge, tenant, entry.topic)})


@router.post("/v1/{tenant}/jobs/{job:path}/cancel", status_code=202, summary="Ask a job's worker to cancel it")
async def cancel_job(tenant: str, job: str, caller: Caller, edge: OpenEdge, user: User = None) -> Response:
    """Have the worker told, and return the job's `id` and `topic` once it has heard it.

    It ends the job as soon as it can, and the job's last event is `cancelled` then. 409 if the job has ended, or if no
    worker answers.
    """
    caller.require(tenant, Right.CANCEL, _find_paths(tenant, quote_token(job), user))
    entry = await _find_job(edge, tenant, job, user)
    state = _read_state(entry)
    if state is not None and state.status.terminal:
        raise Problem(409, "job-ended", f"the job {job!r} has ended: {state.status}")
    subject = format_command_subject(tenant, entry.topic)
    answer = await edge.jetstream.ask(subject, _CANCEL, timeout=_ANSWER_TIMEOUT)
    if answer is None or not _has_taken(answer):
        raise Problem(
            409,
            "no-worker",
            f"no worker answers for the job {job!r}: it is lost, or does not take commands; delete the job to be rid "
            "of it",
        )
    return answer_json({"id": job, "topic": entry.topic}, 202)


def _has_taken(answer: bytes) -> bool:
    try:
        return msgspec.json.decode(answer, type=CommandAnswer).taken
    except msgspec.DecodeError:
        return False


async def _find_job(edge: Edge, tenant: str, job: str, user: str | None) -> Entry:
    entries = await edge.snapshots.read(_find_paths(tenant, quote_token(job), user))
    found = [entry for entry in entries if not entry.tombstone and _read_state(entry) is not None]
    if not found:
        owner = "" if user is None else f" of {user!r}"
        raise Problem(404, "no-such-job", f"there is no job {job!r}{owner}, or it was deleted")
    return found[-1]


def _find_paths(tenant: str, job: str, user: str | None) -> tuple[str, ...]:
    """Return where jobs may be; `job` is a token or `*`."""
    if user is not None:
        return parse_paths(tenant, [f"users.{quote_token(user)}.jobs.{job}"], 1)
    return parse_paths(tenant, [f"jobs.{job}", f"users.*.jobs.{job}"], 2)


def _read_state(entry: Entry) -> JobState | None:
    """Return the state an event carries; None for what others wrote to a job's topic."""
    try:
        return msgspec.json.decode(entry.event.data, type=JobState)
    except msgspec.ValidationError:
        return None
