from typing import Any

import pytest
from tailrace_producer import Settings
from tailrace_protocol.errors import SetupError


@pytest.mark.parametrize(
    "given",
    [
        *({name: 0} for name in ("outbox_events", "outbox_bytes", "window", "window_bytes", "text_batch")),
        *({name: 0} for name in ("ack_timeout", "connect_timeout", "lease")),
        *({name: -1} for name in ("close_timeout", "text_interval")),
        {"ack_timeout": float("nan")},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_by_its_name(given: dict[str, Any]) -> None:
    [name] = given

    with pytest.raises(SetupError, match=name):
        Settings(**given)


@pytest.mark.parametrize("given", [{"close_timeout": 0}, {"text_interval": 0}, {"lease": None}], ids=str)
def test_zero_and_none_where_they_mean_something(given: dict[str, Any]) -> None:
    Settings(**given)
