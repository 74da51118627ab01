"""The follower where a real broker is hard to bring to it: leaders that lie, calls without answers, stalls.

Its clock is that of a loop which does not wait, so that nothing strikes because the machine is slow.
"""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from edge.fake_jetstream import FOLLOW, SECOND, FakeJetStream, following
from support.turned_loop import TurnedLoop
from support.waiting import wait_until
from tailrace_edge import follower


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": TurnedLoop}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the follower go by the loop's clock, too."""
    turned = SimpleNamespace(monotonic=lambda: asyncio.get_running_loop().time(), time_ns=time.time_ns)
    monkeypatch.setattr(follower, "time", turned)


async def test_it_reads_the_log_as_it_grows() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        trial.jetstream.append(3)
        await trial.reach(1, 2, 3, 4, 5, 6, 7, 8)
        await trial.until(lambda: trial.follower.ready and trial.follower.lag == 0)
        assert trial.follower.consumers == 1
        assert len(trial.sink.epochs) == 1


async def test_an_empty_log_is_at_its_head() -> None:
    async with following(FakeJetStream()) as trial:
        await trial.until(lambda: trial.follower.ready)
        trial.jetstream.append(1)
        await trial.reach(1)


async def test_a_leader_that_says_less_for_a_moment_is_not_believed() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        whole = dict(trial.jetstream.messages)
        trial.jetstream.cut(3)
        await trial.wait(FOLLOW.regress / 3)
        trial.jetstream.messages, trial.jetstream.last = whole, 5
        trial.jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 6)
        assert trial.jetstream.raised == 0
        assert len(trial.sink.epochs) == 1


async def test_a_log_that_went_back_gets_another_epoch() -> None:
    async with following(FakeJetStream(5)) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        trial.jetstream.cut(3)
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        assert trial.jetstream.raised == 1
        assert trial.sink.sequences == [1, 2, 3], "it goes on at the end of what is left"
        trial.jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5)
        assert trial.sink.epochs[0] != trial.sink.epochs[1]


async def test_a_log_that_went_back_and_grew_on_is_found_by_its_newest_message() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        # The connection is lost meanwhile, and every consumer with it.
        jetstream.reachable = False
        trial.follower.fail(ConnectionError("lost"))
        await trial.wait(0.1)
        jetstream.cut(3)
        jetstream.append(4)
        jetstream.messages[5] += SECOND
        jetstream.reachable = True
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        assert jetstream.raised == 1


async def test_a_stream_made_anew_is_read_from_its_start() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.created = "2026-01-02T00:00:00Z"
        jetstream.cut(0)
        jetstream.append(2)
        await trial.until(lambda: len(trial.sink.epochs) == 2)
        await trial.reach(1, 2)
        assert jetstream.raised == 0


async def test_direct_gets_bridge_the_time_without_a_consumer() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.hold_creation = True
        trial.follower.fail(ConnectionError("lost"))
        jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        assert len(jetstream.consumers) == 2, "asked for, and not answered"
        jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 6, 7, 8)
        jetstream.hold_creation = False
        jetstream.append(2)
        await trial.until(lambda: trial.follower.consumers == 2)
        await trial.reach(*range(1, 11))


async def test_a_consumer_that_stalls_is_replaced() -> None:
    """It sends heartbeats, and the leader has more."""
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.silent = True
        jetstream.append(2)
        await trial.until(lambda: len(jetstream.consumers) == 2)
        jetstream.silent = False
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        await trial.until(lambda: trial.follower.lag == 0)


async def test_a_consumer_that_falls_silent_is_replaced() -> None:
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        async with asyncio.timeout(20):
            await wait_until(lambda: len(jetstream.consumers) == 2)
        jetstream.append(1)
        await trial.reach(1, 2, 3)


async def test_a_consumers_heartbeats_are_no_word_of_the_leader() -> None:
    """They go on where a broker is cut off from the others. After a while another one is tried, again and again."""
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        jetstream.reachable = False
        heard_at = trial.follower.heard_at
        await trial.until(lambda: jetstream.moved == 2)
        assert trial.follower.heard_at <= heard_at + FOLLOW.check
        assert len(jetstream.consumers) == 1
        jetstream.reachable = True
        jetstream.append(1)
        await trial.reach(1, 2, 3)
        assert trial.follower.heard_at > heard_at + FOLLOW.leaderless


async def test_no_other_broker_is_tried_while_events_come() -> None:
    jetstream = FakeJetStream(2)
    async with following(jetstream) as trial:
        await trial.reach(1, 2)
        jetstream.reachable = False
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + 4 * FOLLOW.leaderless

        def go_on() -> bool:
            jetstream.append(1)
            return loop.time() > ends_at

        await trial.until(go_on)
        assert jetstream.moved == 0


async def test_the_deleted_end_of_a_log_is_no_stall() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.last = 8
        await trial.wait(FOLLOW.stall * 4)
        assert trial.follower.consumers == 1
        assert trial.follower.lag == 0
        jetstream.append(1)
        await trial.reach(1, 2, 3, 4, 5, 9)


async def test_what_went_unseen_is_passed_over() -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.reachable = False
        trial.follower.fail(ConnectionError("lost"))
        await trial.wait(0.1)
        jetstream.append(5)
        jetstream.messages = {sequence: at for sequence, at in jetstream.messages.items() if sequence > 8}
        jetstream.reachable = True
        await trial.reach(1, 2, 3, 4, 5, 9, 10)
        assert trial.sink.passed == [8]
        assert trial.sink.settled == (9, 10)


@pytest.mark.parametrize("retention", [True, False])
async def test_a_jump_that_retention_made_is_told(retention: bool) -> None:
    """What is missing between two deliveries was deleted, or dropped unseen: the leader's oldest message tells."""
    jetstream = FakeJetStream(5)
    jetstream.config = {"max_bytes": 1000}
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        jetstream.append(5)
        gone = range(1, 9) if retention else range(6, 9)
        for sequence in gone:
            del jetstream.messages[sequence]
        await trial.reach(1, 2, 3, 4, 5, 9, 10)
        assert trial.sink.passed == ([8] if retention else [])
        assert trial.follower.consumers == 1


@pytest.mark.parametrize("fault", ["hole", "again"])
async def test_a_break_of_the_consumer_costs_nothing(fault: str) -> None:
    jetstream = FakeJetStream(5)
    async with following(jetstream) as trial:
        await trial.reach(1, 2, 3, 4, 5)
        ((subject, (next_one, delivered)),) = jetstream._positions.items()
        # One delivery is lost under way, or the consumer's host was restarted and begins anew.
        jetstream._positions[subject] = (next_one, delivered + 1) if fault == "hole" else (1, 0)
        jetstream.append(2)
        await trial.reach(1, 2, 3, 4, 5, 6, 7)
        assert len(jetstream.consumers) == 2
