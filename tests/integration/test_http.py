"""Jobs, the description of the interface, and what it does not describe."""

import re
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from support.broker import PATIENCE, Broker, read_stream
from support.calls import call, publish, read, read_pages, wait_head
from support.edge import EdgeProcess
from support.stream import open_stream
from tailrace_protocol.jobs import format_job_topic

RUNNING = {"status": "running", "done": 1, "total": 2}


async def test_jobs(edge: EdgeProcess) -> None:
    await publish(
        edge,
        ("jobs.a", RUNNING | {"id": "a"}, "progress"),
        ("users.7.jobs.b", RUNNING | {"id": "b", "user": "7"}, "progress"),
        ("users.8.jobs.c", {"id": "c", "user": "8", "status": "complete"}, "complete"),
        ("jobs.a.log", "a line", "log"),
        ("jobs.x", "not a state"),
        ("users.7.jobs.b", {"id": "b", "user": "7", "status": "failed"}, "failed"),
    )

    async def list_jobs(**query: str) -> dict[str, str]:
        return {job["id"]: job["status"] for job in (await read(edge, "/v1/acme/jobs", **query))["jobs"]}

    assert await list_jobs() == {"a": "running", "b": "failed", "c": "complete"}
    assert await list_jobs(user="7") == {"b": "failed"}
    assert await list_jobs(user="9") == {}
    assert await list_jobs(status="running") == {"a": "running"}
    assert await list_jobs(status="failed", user="7") == {"b": "failed"}
    pages = await read_pages(edge, "/v1/acme/jobs", limit=1)
    assert [job["id"] for page in pages for job in page["jobs"]] == ["a", "b", "c"]
    assert pages[0]["cursor"].endswith("-6")
    assert (await read(edge, "/v1/acme/jobs/a"))["done"] == 1
    assert (await read(edge, "/v1/acme/jobs/b"))["status"] == "failed"
    assert (await read(edge, "/v1/acme/jobs/b", user="7"))["user"] == "7"
    for path in ("/v1/acme/jobs/b?user=8", "/v1/acme/jobs/none", "/v1/acme/jobs/x", "/v1/other/jobs/a"):
        answer = await call(edge, path)
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:tailrace:problem:no-such-job"), path
    assert (await call(edge, "/v1/acme/jobs?status=done")).status_code == 400


@pytest.mark.parametrize("job", ["a", "import 4/2", "ünï.*", "100%"])
async def test_a_deleted_job_is_gone_with_its_log(edge: EdgeProcess, broker: Broker, job: str) -> None:
    topic = format_job_topic(job, "7")
    ids = await publish(
        edge,
        (topic, RUNNING | {"id": job, "user": "7"}, "progress"),
        (f"{topic}.log", 1, "log"),
        (f"{topic}.log", 2, "log"),
        ("jobs.other", RUNNING | {"id": "other"}, "progress"),
    )
    await wait_head(edge, ids[-1])
    async with open_stream(edge.url, f"{topic}.>", topic) as stream:
        await stream.next_control("open")
        path = f"/v1/acme/jobs/{quote(job, safe='')}"
        assert (await read(edge, path))["id"] == job
        answer = await call(edge, path, method="DELETE", params={"user": "7"})
        assert answer.status_code == 200
        gone = await stream.read_events(2)
        assert [event.event for event in gone] == ["deleted", "deleted"]
        assert gone[-1].last_event_id == answer.json()["id"]
    assert (await call(edge, path)).status_code == 404
    assert (await call(edge, path, method="DELETE")).status_code == 404
    left = (await read(edge, "/v1/acme/history", topic="users.>"))["events"]
    assert [event["type"] for event in left] == ["deleted", "deleted"]
    assert [job["id"] for job in (await read(edge, "/v1/acme/jobs"))["jobs"]] == ["other"]
    subjects = [subject for _, subject, _ in await read_stream(broker.url)]
    assert sorted(subjects) == sorted([f"events.acme.{topic}", f"events.acme.{topic}.log", "events.acme.jobs.other"])


async def test_openapi(edge: EdgeProcess) -> None:
    document = await read(edge, "/openapi.json")
    calls = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert calls == {
        ("get", "/v1/{tenant}/events"),
        ("post", "/v1/{tenant}/events"),
        ("post", "/v1/{tenant}/tickets"),
        ("get", "/v1/{tenant}/topics"),
        ("get", "/v1/{tenant}/topics/{topic}"),
        ("delete", "/v1/{tenant}/topics/{topic}"),
        ("get", "/v1/{tenant}/history"),
        ("get", "/v1/{tenant}/jobs"),
        ("get", "/v1/{tenant}/jobs/{job}"),
        ("delete", "/v1/{tenant}/jobs/{job}"),
        ("post", "/v1/{tenant}/jobs/{job}/cancel"),
        ("get", "/v1/stats"),
        ("get", "/livez"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }
    stream = document["paths"]["/v1/{tenant}/events"]["get"]
    assert set(stream["responses"]) == {"200", "204", "400", "401", "403", "429", "503"}
    assert set(stream["responses"]["200"]["content"]) == {"text/event-stream", "application/x-ndjson"}
    assert {(parameter["in"], parameter["name"]) for parameter in stream["parameters"]} == {
        ("path", "tenant"),
        *(("query", name) for name in ("topic", "from", "last_event_id", "types", "max_rate", "until", "ticket")),
        ("header", "Last-Event-ID"),
    }
    for reference in find_references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in target, reference
            target = target[part]
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
    page = await call(edge, "/docs")
    assert (page.status_code, "openapi.json" in page.text) == (200, True)
    assert "://" not in page.text  # nothing comes from elsewhere
    for asset, kind in re.findall(r'(?:src|href)="(docs/assets/[^"]+\.(\w+))"', page.text):
        answer = await call(edge, f"/{asset}")
        assert (answer.status_code, bool(answer.content)) == (200, True)
        assert {"js": "javascript", "css": "css", "png": "png"}[kind] in answer.headers["content-type"]


def find_references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [reference for child in node.values() for reference in find_references(child)]
    if isinstance(node, list):
        return [reference for child in node for reference in find_references(child)]
    return []


async def test_the_description_of_a_stream_names_what_it_understands(edge: EdgeProcess) -> None:
    """Each parameter of the description is taken; a field it does not name is refused."""
    document = await read(edge, "/openapi.json")
    values = {
        "topic": "jobs.a",
        "from": "start",
        "last_event_id": "00000000-1",
        "types": "log",
        "max_rate": "1",
        "until": "terminal",
        "ticket": "none is asked for",
    }
    names = [
        parameter["name"]
        for parameter in document["paths"]["/v1/{tenant}/events"]["get"]["parameters"]
        if parameter["in"] == "query"
    ]
    assert set(names) == set(values)
    for name in names:
        query = urlencode({"topic": "jobs.a", name: values[name]})
        async with (
            httpx.AsyncClient(timeout=PATIENCE) as client,
            client.stream("GET", f"{edge.url}/v1/acme/events?{query}") as answer,
        ):
            assert answer.status_code == 200, name


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/", 404, None),
        ("GET", "/v2/acme/events", 404, None),
        ("GET", "/v1/acme", 404, None),
        ("GET", "/v1/acme/nothing", 404, None),
        ("PUT", "/v1/acme/events", 405, {"GET", "POST"}),
        ("DELETE", "/v1/acme/events", 405, {"GET", "POST"}),
        ("POST", "/v1/acme/topics", 405, {"GET"}),
        ("POST", "/v1/acme/topics/a", 405, {"GET", "DELETE"}),
        ("PATCH", "/v1/acme/jobs/a", 405, {"GET", "DELETE"}),
        ("POST", "/v1/acme/history", 405, {"GET"}),
        ("POST", "/readyz", 405, {"GET"}),
    ],
)
async def test_unknown_routes_and_methods(
    edge: EdgeProcess, method: str, path: str, status: int, allowed: set[str] | None
) -> None:
    answer = await call(edge, path, method=method)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = answer.json()
    assert problem["status"] == status
    assert problem.keys() == {"type", "title", "status", "detail"}
    if allowed is not None:
        assert {name.strip() for name in answer.headers["allow"].split(",")} - {"HEAD"} == allowed
