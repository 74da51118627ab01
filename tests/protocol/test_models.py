"""Models of pydantic as data: what has a `model_dump` is carried as that says."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import msgspec
import pydantic
import pytest
from tailrace_protocol.errors import EventTooLarge, InvalidData
from tailrace_protocol.events import MAX_EVENT_BYTES, encode_stored


class Line(pydantic.BaseModel):
    article: str
    price: float = 1.5


class Order(pydantic.BaseModel):
    id: UUID
    placed: datetime
    lines: list[Line]
    tags: set[str] = {"new"}


class Names(pydantic.RootModel[list[str]]):
    pass


class Odd:
    """Not pydantic's, with the same method."""

    def model_dump(self, *, mode: str) -> Any:
        return {"mode": mode, "at": datetime(2026, 1, 31, tzinfo=UTC)}


ORDER = Order(id=UUID(int=7), placed=datetime(2026, 1, 31, tzinfo=UTC), lines=[Line(article="ü")])
WRITTEN = {
    "id": "00000000-0000-0000-0000-000000000007",
    "placed": "2026-01-31T00:00:00Z",
    "lines": [{"article": "ü", "price": 1.5}],
    "tags": ["new"],
}


def store(data: Any) -> Any:
    return msgspec.json.decode(encode_stored("message", data))["data"]


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (ORDER, WRITTEN),
        ({"order": ORDER, "n": 1}, {"order": WRITTEN, "n": 1}),
        ([ORDER, (ORDER,)], [WRITTEN, [WRITTEN]]),
        ({"a": [{"b": Names(["x"])}]}, {"a": [{"b": ["x"]}]}),
        (Odd(), {"mode": "json", "at": "2026-01-31T00:00:00Z"}),
    ],
)
def test_models_are_carried(data: Any, stored: Any) -> None:
    assert store(data) == stored


class Broken(pydantic.BaseModel):
    value: Any


@pytest.mark.parametrize("data", [object(), Order, Broken(value=object()), {"m": Broken(value=object())}, Mock()])
def test_what_cannot_be_carried_is_still_refused(data: Any) -> None:
    with pytest.raises(InvalidData, match="cannot be written as JSON"):
        encode_stored("message", data)


def test_the_type_that_is_refused_is_named() -> None:
    with pytest.raises(InvalidData, match="type Decoder is unsupported"):
        encode_stored("message", {"a": msgspec.json.Decoder()})


def test_a_mock_is_refused_before_its_dumps_are_dumped() -> None:
    mock = Mock()
    with pytest.raises(InvalidData, match="model_dump of Mock returned a Mock"):
        encode_stored("message", mock)
    mock.model_dump.assert_called_once_with(mode="json")
    mock.model_dump.return_value.model_dump.assert_not_called()


def test_a_model_has_no_more_room_than_other_data() -> None:
    with pytest.raises(EventTooLarge):
        encode_stored("message", Line(article="x" * MAX_EVENT_BYTES))
