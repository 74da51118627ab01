"""`/livez`, `/readyz`, `/metrics`, `/v1/stats`: for those who run the edges."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from tailrace_edge import metrics
from tailrace_edge.edge import Edge
from tailrace_edge.problems import Problem
from tailrace_edge.routes.answers import answer_json
from tailrace_edge.stats import collect

router = APIRouter(tags=["operations"])


@router.get("/livez", summary="Is the process alive?", response_class=PlainTextResponse)
async def check_alive(request: Request) -> Response:
    """Answer 200 as long as everything runs that has to; 503 means that only a restart helps."""
    if not _get_edge(request).alive:
        raise Problem(503, "not-alive", "a task of this edge has ended; its log says why")
    return PlainTextResponse("alive\n")


@router.get("/readyz", summary="May new clients come?", response_class=PlainTextResponse)
async def check_ready(request: Request) -> Response:
    """Answer 200 once the head of the log is reached, until the edge drains or the broker is away for long."""
    reason = _get_edge(request).explain_unready()
    if reason is not None:
        raise Problem(503, "not-ready", reason)
    return PlainTextResponse("ready\n")


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def read_metrics(request: Request) -> Response:
    """Return all metrics in Prometheus' text format."""
    return Response(metrics.render(request.app.state.registry), media_type=metrics.MEDIA_TYPE)


@router.get("/v1/stats", summary="What the edges are doing")
async def read_stats(
    request: Request, cluster: Annotated[bool, Query(description="Of all edges, asked over NATS.")] = False
) -> Response:
    """Return what this edge is doing, or with `cluster=true` all edges that answer. It names no tenant and no topic.

    Where tokens are wanted, one of any tenant will do; from the edge's own machine none is.
    """
    edge = _get_edge(request)
    await edge.guard.admit_operator(request.scope)
    return answer_json(collect(await edge.stats.read_all()) if cluster else edge.stats.read())


def _get_edge(request: Request) -> Edge:
    return cast("Edge", request.app.state.edge)
