"""Counts that cannot be are refused, wherever they are given."""

from collections.abc import Callable
from typing import Any

import pytest
from tailrace_producer import SyncJob, SyncProducer
from tailrace_producer.testing import capture
from tailrace_protocol.errors import InvalidData, InvalidInput


@pytest.mark.parametrize(
    "give",
    [
        lambda job: job.update(total=-5),
        lambda job: job.child("c", total=-0.5),
        lambda job: next(job.track([1], total=-1)),
        lambda job: job.step("s", weight=1).update(1, total=-1),
        lambda job: next(job.step("s").track([1], total=-1)),
    ],
)
def test_a_total_is_not_negative(give: Callable[[SyncJob], Any]) -> None:
    with capture() as events, SyncProducer() as producer:
        with pytest.raises(InvalidInput, match="must not be negative"):
            producer.job("j", total=-5)
        with producer.job("j", total=7) as job, pytest.raises(InvalidData, match="must not be negative"):
            give(job)

    assert (events.job("j").status, events.job("j").total) == ("complete", 7)


def test_nothing_to_do_is_a_total() -> None:
    with capture() as events, SyncProducer() as producer, producer.job("j", total=0):
        pass

    assert (events.job("j").total, events.job("j").percent) == (0, 100)
