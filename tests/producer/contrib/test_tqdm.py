import asyncio
import io
import subprocess
import sys
from typing import Any

import anyio.to_thread
import pytest
from producer.contrib.conftest import Read
from support.broker import Broker
from tailrace_producer import JobCancelled, Producer, SyncProducer, current_job
from tailrace_producer.contrib.tqdm import tqdm, trange


def quiet(items: Any = None, **options: Any) -> Any:
    """A bar that prints nowhere."""
    return tqdm(items, file=io.StringIO(), **options)


def find_last(events: list[tuple[str, str, Any]]) -> tuple[str, dict[str, Any]]:
    return events[-1][1:]


async def test_a_bar_moves_the_current_job(producer: SyncProducer, read: Read) -> None:
    with producer.job("one"):
        assert list(quiet(range(5), desc="rows")) == [0, 1, 2, 3, 4]

    kind, state = find_last(await read())
    assert (kind, state["done"], state["total"], state["percent"]) == ("complete", 5, 5, 100)
    assert (state["message"], "steps" in state) == ("rows", False)


async def test_each_drawing_is_reported(producer: SyncProducer, read: Read) -> None:
    with producer.job("one"):
        seen = [find_last(await read())[1].get("done", 0) for _ in quiet(range(3), mininterval=0, miniters=1)]

    assert seen == [0, 1, 2]


async def test_bars_within_a_bar_are_steps(producer: SyncProducer, read: Read) -> None:
    with producer.job("one"):
        for number in quiet(range(2), desc="epochs"):
            for _ in quiet(range(4), desc=f"epoch {number}", leave=False):
                pass

    _, state = find_last(await read())
    assert (state["done"], state["total"]) == (2, 2)
    assert [(step["name"], step["status"], step["percent"]) for step in state["steps"]] == [
        ("epoch 0", "complete", 100),
        ("epoch 1", "complete", 100),
    ]


async def test_one_bar_after_the_other_moves_the_job(producer: SyncProducer, read: Read) -> None:
    with producer.job("one"):
        list(quiet(range(5)))
        list(quiet(range(2), desc="again"))

    _, state = find_last(await read())
    assert (state["done"], state["total"], state["message"], "steps" in state) == (2, 2, "again", False)


async def test_a_bar_moves_the_step_it_is_given(producer: SyncProducer, read: Read) -> None:
    with producer.job("one", total=10) as job:
        with job.step("load", weight=9) as step:
            list(quiet(range(100), job=step))
        loaded = job.take_state()

    assert (loaded.done, loaded.total) == (9, 10)


async def test_a_bar_used_by_hand(producer: SyncProducer, read: Read) -> None:
    with producer.job("one"), quiet(total=10, unit="B") as bar:
        bar.update(4)
        bar.set_postfix(loss=0.5)
        bar.update(3)

    _, state = find_last(await read())
    assert (state["done"], state["total"], state["message"]) == (7, 10, "loss=0.5")


async def test_a_bar_in_async_code(broker: Broker, producer: SyncProducer, read: Read) -> None:
    async def count() -> Any:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async with Producer(broker.url) as own, own.job("one"):
        assert [number async for number in quiet(count(), total=3)] == [0, 1, 2]

    assert find_last(await read())[1]["done"] == 3


async def test_the_loop_ends_when_the_job_is_asked_to_cancel(producer: SyncProducer, read: Read) -> None:
    taken = []

    def work() -> None:
        with producer.job("one") as job:
            for number in quiet(range(100), mininterval=0, miniters=1):
                taken.append(number)
                if number == 3:
                    job.ask_to_cancel()

    with pytest.raises(JobCancelled):
        work()

    assert taken == [0, 1, 2, 3]
    assert find_last(await read())[0] == "cancelled"


async def test_a_bar_that_outlives_its_job_is_a_bar(producer: SyncProducer, read: Read) -> None:
    with producer.job("one") as job:
        bar = quiet(range(3))
        job.complete()

    assert list(bar) == [0, 1, 2]
    assert find_last(await read())[0] == "complete"


def test_without_job_and_producer_it_is_tqdm() -> None:
    shown = io.StringIO()

    assert list(tqdm(range(3), file=shown)) == [0, 1, 2]
    assert "3/3" in shown.getvalue()


@pytest.mark.usefixtures("default_producer")
async def test_disabled_it_reports_nothing(read: Read) -> None:
    assert list(tqdm(range(3), disable=True)) == [0, 1, 2]
    assert await read() == []


class TestAJobOfItsOwn:
    @pytest.fixture(autouse=True)
    def configure(self, default_producer: SyncProducer) -> None:
        """Every test here has a default producer."""

    async def test_it_ends_with_the_loop(self, read: Read) -> None:
        for _ in trange(3, desc="training", file=io.StringIO()):
            assert current_job() is not None
        assert current_job() is None

        kind, state = find_last(await read())
        assert (kind, state["title"], state["done"], state["total"]) == ("complete", "training", 3, 3)

    async def test_bars_within_are_its_steps(self, read: Read) -> None:
        for _ in quiet(range(2), desc="outer"):
            list(quiet(range(2), desc="inner"))

        events = await read()
        assert len({topic for topic, _, _ in events}) == 1
        assert [step["name"] for step in events[-1][2]["steps"]] == ["inner", "inner"]

    async def test_a_loop_that_is_left_is_cancelled(self, read: Read) -> None:
        for number in quiet(range(10)):
            if number == 4:
                break

        kind, state = find_last(await read())
        assert (kind, state["message"]) == ("cancelled", "stopped at 4 of 10")

    async def test_an_exception_of_the_items_fails_it(self, read: Read) -> None:
        def fail() -> Any:
            yield 1
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            list(quiet(fail()))

        kind, state = find_last(await read())
        assert (kind, state["error"]) == ("failed", {"type": "OSError", "message": "disk full"})

    async def test_an_exception_in_the_block_fails_it(self, read: Read) -> None:
        def work() -> None:
            with quiet(range(3)) as bar:
                for number in bar:
                    assert number < 1

        with pytest.raises(AssertionError):
            work()

        kind, state = find_last(await read())
        assert (kind, state["error"]["type"]) == ("failed", "AssertionError")

    @pytest.mark.parametrize(("counted", "outcome"), [(10, "complete"), (4, "cancelled")])
    async def test_by_hand(self, counted: int, outcome: str, read: Read) -> None:
        bar = quiet(total=10)
        bar.update(counted)
        bar.close()

        kind, state = find_last(await read())
        assert (kind, state["done"]) == (outcome, counted)
        assert current_job() is None

    async def test_it_is_cancelled_as_any_job(self, read: Read) -> None:
        def work() -> None:
            for _ in quiet(range(100), mininterval=0, miniters=1):
                job = current_job()
                assert job is not None
                job.ask_to_cancel()

        with pytest.raises(JobCancelled):
            work()

        assert find_last(await read())[0] == "cancelled"


def test_a_script_without_tailrace_settings_is_as_fast_as_tqdm_lets_it() -> None:
    """A loop over the bar is tqdm's own generator, with nothing around it."""
    bar = quiet(range(3))

    assert iter(bar).__qualname__ == "tqdm.__iter__"
    bar.close()


async def test_wait_for_a_thread(producer: SyncProducer, read: Read) -> None:
    """A bar of a worker thread, to which the context was not given, moves no job."""
    with producer.job("one"):
        await anyio.to_thread.run_sync(lambda: None)
        done = await asyncio.get_running_loop().run_in_executor(None, lambda: list(quiet(range(3))))

    assert done == [0, 1, 2]
    assert find_last(await read())[1].get("done", 0) == 0


def test_importing_it_warns_of_nothing() -> None:
    script = "from tailrace_producer.contrib.tqdm import tqdm, trange"

    assert subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, capture_output=True).stderr == b""
