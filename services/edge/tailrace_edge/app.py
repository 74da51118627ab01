"""The app: routes and errors, around one edge."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from tailrace_edge import metrics
from tailrace_edge.description import DescribedApp
from tailrace_edge.edge import Edge
from tailrace_edge.problems import install_problems
from tailrace_edge.routes import console, docs, events, history, jobs, operations, tickets, topics
from tailrace_edge.routes.faults import Faults
from tailrace_edge.settings import Settings
from tailrace_edge.streams import StreamRoute


def create_app(settings: Settings) -> FastAPI:
    """Return the edge's app. `app.state.edge` starts and stops with its lifespan."""
    edge = Edge(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        edge.start()
        yield
        await edge.stop()

    app = DescribedApp(title="Tailrace edge", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.edge = edge
    app.state.registry = metrics.make_registry(edge)
    install_problems(app, edge.admission.refusals)
    # First, and an ASGI application of its own: it answers more requests than all others.
    faults = Faults(edge, StreamRoute(edge)) if settings.faults else None
    stream = Route("/v1/{tenant}/events", faults or StreamRoute(edge))
    stream.methods = {"GET"}  # Starlette would add HEAD, and a HEAD without end helps nobody
    app.router.routes.insert(0, stream)
    if faults is not None:
        faults.install(app)
    for module in (events, tickets, topics, history, jobs, operations, docs, console):
        app.include_router(module.router)
    app.mount("/docs/assets", docs.assets)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_credentials=settings.takes_cookies,
            allow_methods=["GET", "POST", "DELETE"],
            expose_headers=["retry-after"],
            allow_headers=["authorization", "content-type", "idempotency-key", "last-event-id"],
        )
    return app
