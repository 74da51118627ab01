"""Models of pydantic, wherever a job or an event takes data."""

import pydantic
from tailrace_producer import SyncProducer
from tailrace_producer.testing import capture


class Line(pydantic.BaseModel):
    article: str


def test_models_are_taken_wherever_data_is() -> None:
    line = Line(article="x")
    with capture() as events, SyncProducer() as producer:
        producer.enqueue("orders.1", line)
        with producer.job("j", metadata={"line": line}) as job:
            line.article = "y"  # what was given counts
            job.warn("w", [line])
            job.log("l", line=line)
            job.complete({"line": line})
        with producer.stream("t", metadata={"line": line}) as text:
            text.complete(usage={"line": line})

    state = events.job("j")
    assert events.topic("orders.1")[0].data == {"article": "x"}
    assert (state.metadata, state.result) == ({"line": {"article": "x"}}, {"line": {"article": "y"}})
    assert state.warnings[0].data == [{"article": "y"}]
    assert events.topic("jobs.j.log")[0].data["line"] == {"article": "y"}
    assert (events.text("t").metadata, events.text("t").usage) == ({"line": {"article": "y"}},) * 2
