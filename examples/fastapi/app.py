"""A FastAPI application that builds reports in background tasks."""

import asyncio
from contextlib import suppress
from uuid import uuid4

from fastapi import BackgroundTasks, FastAPI
from tailrace_producer import Job, JobCancelled
from tailrace_producer.contrib.fastapi import ProducerDependency, producer_lifespan

app = FastAPI(lifespan=producer_lifespan("nats://127.0.0.1:4222"))


@app.post("/reports", status_code=202)
async def create_report(user: str, background: BackgroundTasks, producer: ProducerDependency) -> dict[str, str]:
    """Begin a report, and answer with the id of its job."""
    job_id = uuid4().hex
    job = producer.job(job_id, user=user, title="Report", total=7)
    job.start()  # so that it is seen from now on, though the task runs after the answer
    background.add_task(build_report, job)
    return {"job": job_id, "topic": job.topic}


async def build_report(job: Job) -> None:
    """Build the report, page by page."""
    with suppress(JobCancelled):  # the job has ended by then; the server would log it as an error
        async with job:
            async for page in job.track(range(7)):
                job.update(message=f"page {page + 1}")
                await asyncio.sleep(0.1)
            job.complete({"url": "/reports/7.pdf"})
