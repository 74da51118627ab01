"""Whether an answer about the stream is a leader's."""

from typing import Any

import pytest
from tailrace_edge.leader import JetStreamUnavailable, check_leader

SECOND = 1_000_000_000


def make_cluster(*active: float, leader: str = "n1") -> dict[str, Any]:
    return {"cluster": {"leader": leader, "replicas": [{"active": int(age * SECOND)} for age in active]}}


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"cluster": {"leader": "n1"}},
        make_cluster(0.5, 1.2),
        make_cluster(0, 0),
        make_cluster(0.1, 900),
        make_cluster(0.1, 0.1, 900, 900),
    ],
    ids=["alone", "one replica", "in touch", "just elected", "one of three away", "two of five away"],
)
def test_a_leader_is_believed(info: dict[str, Any]) -> None:
    check_leader(info)


@pytest.mark.parametrize(
    ("info", "why"),
    [
        ({"cluster": {"replicas": []}}, "has no leader"),
        (make_cluster(0.1, 0.1, leader=""), "has no leader"),
        (make_cluster(6, 7), "hears no quorum"),
        (make_cluster(0.1, 6, 6, 6), "hears no quorum"),
    ],
    ids=["none named", "none", "two of three away", "three of five away"],
)
def test_what_is_no_leaders_word_is_not(info: dict[str, Any], why: str) -> None:
    with pytest.raises(JetStreamUnavailable, match=why):
        check_leader(info)
