"""FastAPI: a producer that lives as long as the application, as a dependency.

app = FastAPI(lifespan=producer_lifespan("nats://127.0.0.1:4222", tenant="acme"))

@app.post("/reports", status_code=202)
async def create_report(background: BackgroundTasks, producer: ProducerDependency) -> dict[str, str]:
    job = producer.job(uuid4().hex, title="Report", total=7)
    background.add_task(build_report, job)
    return {"topic": job.topic}
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.requests import HTTPConnection
from tailrace_protocol.errors import SetupError

from tailrace_producer.producer import Producer
from tailrace_producer.settings import Settings


def producer_lifespan(
    url: str | None = None, *, tenant: str | None = None, settings: Settings | None = None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return a lifespan for `FastAPI(lifespan=...)` that opens a producer, and closes it when the application ends.

    Where the application has a lifespan of its own, enter this one in it:
    `async with producer_lifespan(url)(app): yield`.

    Args:
        url: as for `Producer`.
        tenant: as for `Producer`.
        settings: limits, timeouts, logins.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Producer(url, tenant=tenant, settings=settings) as producer:
            app.state.tailrace_producer = producer
            yield

    return lifespan


def get_producer(connection: HTTPConnection) -> Producer:
    """Return the application's producer, for requests and WebSockets. A dependency; see `ProducerDependency`.

    Raises:
        SetupError: the application's lifespan opened none.
    """
    producer: Producer | None = getattr(connection.app.state, "tailrace_producer", None)
    if producer is None:
        raise SetupError("this application has no producer: make it with FastAPI(lifespan=producer_lifespan(url))")
    return producer


ProducerDependency = Annotated[Producer, Depends(get_producer)]
"""As the annotation of a path operation's parameter: the application's producer."""
