"""What the client publishes may be a model of pydantic."""

import msgspec
import pydantic
from support.shells import Shell
from tailrace_client.testing import ScriptedEdge, answer


class Line(pydantic.BaseModel):
    article: str


def test_a_model_is_published_as_it_dumps_itself(shell: Shell) -> None:
    with ScriptedEdge([answer({"ids": ["5f2c91ab-1"]}, 201)]) as edge:
        shell.ask(edge.url, lambda client: client.publish("a", {"lines": [Line(article="x")]}))

        [request] = edge.requests
    assert msgspec.json.decode(request.body)["data"] == {"lines": [{"article": "x"}]}
