"""A chat whose answers stream: to as many readers as there are, from the beginning, whenever they come."""

from contextlib import suppress

from fastapi import BackgroundTasks, FastAPI
from model import generate
from tailrace_producer import Job, JobCancelled, TextStream
from tailrace_producer.contrib.fastapi import ProducerDependency, producer_lifespan
from tailrace_protocol.topics import quote_token

app = FastAPI(lifespan=producer_lifespan("nats://127.0.0.1:4222"))


@app.post("/chats/{chat}", status_code=202)
async def ask(chat: str, question: str, background: BackgroundTasks, producer: ProducerDependency) -> dict[str, str]:
    """Begin to answer, and say where to read."""
    job = producer.job(chat, title=question)
    text = producer.stream(f"chats.{quote_token(chat)}", title=question)
    background.add_task(answer, question, job, text)
    return {"topic": text.topic, "job": chat}


async def answer(question: str, job: Job, text: TextStream) -> None:
    """Write the answer. Cancelling the job is the stop button: the text ends as cancelled too."""
    tokens = 0
    with suppress(JobCancelled):  # job and text have ended by then; the server would log it as an error
        async with job, text:
            async for token in job.track(generate(question)):
                text.write(token)
                tokens += 1
            text.complete(finish_reason="stop", usage={"output_tokens": tokens})
