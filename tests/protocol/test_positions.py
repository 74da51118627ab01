import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tailrace_protocol.errors import InvalidPosition
from tailrace_protocol.positions import Position, derive_epoch, parse_position


@given(st.text("0123456789abcdef", min_size=8, max_size=8), st.integers(0, 10**19 - 1))
def test_text_and_back(epoch: str, sequence: int) -> None:
    text = str(Position(epoch, sequence))

    assert parse_position(text) == Position(epoch, sequence)
    assert re.fullmatch(r"[0-9a-f-]{10,28}", text), "safe in a header, and no CORS preflight"


def test_bounds() -> None:
    assert parse_position("5f2c91ab-0").sequence == 0
    assert parse_position(f"5f2c91ab-{2**63}").sequence == 2**63
    assert parse_position("5f2c91ab-9999999999999999999").sequence < 2**64, "what JetStream can count"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "-",
            "1842",
            "5f2c91ab",
            "5f2c91ab-",
            "-1842",
            "5f2c91ab-01",
            "5f2c91ab-00",
            "5f2c91ab--1",
            "5f2c91ab-+1",
        ),
        *("5F2C91AB-1", "5f2c91a-1", "5f2c91abc-1", "5f2c91ag-1", "5f2c91ab-1\n", "\n5f2c91ab-1", " 5f2c91ab-1"),
        *("5f2c91ab-1 ", "5f2c91ab-1x", "5f2c91ab-1-1", "5f2c91ab-1_0", "5f2c91ab-1.0", "5f2c91ab-1e3", "5f2c91ab_1"),
        *("5f2c91ab-\u0661", "\u0665f2c91ab-1", "5f2c91ab-10000000000000000000", "5f2c91ab-1\0", "5f2c91ab\u20111"),
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidPosition, match="is not an event id"):
        parse_position(text)


def test_shortens_what_it_shows() -> None:
    with pytest.raises(InvalidPosition) as caught:
        parse_position("x" * 1_000_000)
    assert len(str(caught.value)) < 300


def test_positions_of_one_stream_are_in_the_order_of_their_numbers() -> None:
    assert Position("5f2c91ab", 9) < Position("5f2c91ab", 10) < Position("5f2c91ab", 100)


def test_the_epoch_changes_with_everything_that_makes_a_stream() -> None:
    created = "2026-01-31T12:00:00.123456789Z"
    epochs = [
        derive_epoch("EVENTS", created, 0),
        derive_epoch("EVENTS2", created, 0),
        derive_epoch("EVENTS", "2026-01-31T12:00:00.123456788Z", 0),
        derive_epoch("EVENTS", created, 1),
    ]

    assert len(set(epochs)) == 4
    assert all(re.fullmatch("[0-9a-f]{8}", epoch) for epoch in epochs)


def test_the_epoch_is_the_same_in_every_process_and_release() -> None:
    assert derive_epoch("EVENTS", "2026-01-31T12:00:00.123456789Z", 0) == "bdd59c40"
