"""The worker's side of a cancellation, with plain NATS requests to a real broker."""

import asyncio
import faulthandler
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
import nats.errors
import pytest
import stamina
from producer.faults import CALM, read_events, wait_until
from producer.workbench import Bench
from structlog.testing import capture_logs
from support.broker import PATIENCE, Broker, connect, create_stream, pick_ports
from tailrace_producer import JobCancelled, Producer, SyncProducer
from tailrace_protocol.commands import Command, CommandAnswer, CommandKind, format_command_subject

CANCEL = msgspec.json.encode(Command(CommandKind.CANCEL))


async def ask(url: str, topic: str, tenant: str = "default", payload: bytes = CANCEL) -> bool:
    """Ask for the cancellation of a job as an edge does, and return whether its worker takes it."""
    async with await connect(url) as client:
        answer = await client.request(format_command_subject(tenant, topic), payload, timeout=PATIENCE)
    return msgspec.json.decode(answer.data, type=CommandAnswer).taken


ask_until_somebody_listens = stamina.retry(
    on=nats.errors.NoRespondersError, attempts=None, timeout=PATIENCE, wait_max=0.1
)(ask)


async def read_types(url: str, tenant: str = "default") -> list[tuple[str, str, bool]]:
    """Return type, status and whether it is cancelling, of all events."""
    return [
        (event_type, state["status"], state.get("cancelling", False))
        for _, _, event_type, state in await read_events(url, tenant)
    ]


def endless() -> Iterator[int]:
    while True:
        yield 1


async def test_cancel_reaches_an_async_job(broker: Broker) -> None:
    async def work() -> None:
        async with producer.job("import", user="7") as job:
            await producer.flush()
            assert not job.cancelled
            job.raise_if_cancelled()
            assert await ask(broker.url, "users.7.jobs.import", "acme")
            assert job.cancelled
            assert job.status == "running"
            job.raise_if_cancelled()

    async with Producer(broker.url, tenant="acme") as producer:
        with pytest.raises(JobCancelled, match=r"users\.7\.jobs\.import") as stopped:
            await work()

    assert stopped.value.topic == "users.7.jobs.import"
    assert await read_types(broker.url, "acme") == [
        ("start", "running", False),
        ("progress", "running", True),
        ("cancelled", "cancelled", False),
    ]


async def test_track_stops_by_itself(broker: Broker) -> None:
    async def work() -> None:
        async with producer.job("j") as job:
            async for _ in job.track(endless()):
                pass

    async with Producer(broker.url) as producer:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await producer.flush()
        assert await ask(broker.url, "jobs.j")
        with pytest.raises(JobCancelled):
            await task

    assert (await read_types(broker.url))[-1] == ("cancelled", "cancelled", False)


async def test_track_of_an_async_iterator_stops_by_itself(broker: Broker) -> None:
    async def rows() -> AsyncIterator[int]:
        for number in range(1_000_000):
            await asyncio.sleep(0)
            yield number

    async def work() -> None:
        async with producer.job("j") as job:
            async for _ in job.track(rows()):
                pass

    async with Producer(broker.url) as producer:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await producer.flush()
        assert await ask(broker.url, "jobs.j")
        with pytest.raises(JobCancelled):
            await task


async def test_cancel_reaches_a_thread_with_a_sync_job(broker: Broker) -> None:
    def work() -> None:
        with producer.job("j") as job, job.step("count") as step:
            for _ in step.track(endless()):
                started.set()

    started = threading.Event()
    with SyncProducer(broker.url) as producer:
        task = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.to_thread(started.wait)
        await asyncio.to_thread(producer.flush)
        assert await ask(broker.url, "jobs.j")
        with pytest.raises(JobCancelled):
            await task

    assert (await read_types(broker.url))[-1] == ("cancelled", "cancelled", False)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
async def test_cancel_reaches_a_forked_child(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    with producer.job("parent"):
        await asyncio.to_thread(producer.flush)
        child = os.fork()
        if child == 0:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            status = 1
            try:
                with producer.job("child") as job:
                    for _ in job.track(endless()):
                        pass
            except JobCancelled:
                producer.close()
                status = 0
            finally:
                os._exit(status)
        assert await ask_until_somebody_listens(broker.url, "jobs.child")
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert await ask(broker.url, "jobs.parent")
    producer.close()
    newest = {topic: (kind, state["status"]) for _, topic, kind, state in await read_events(broker.url)}

    assert status == 0
    assert newest == {"jobs.child": ("cancelled", "cancelled"), "jobs.parent": ("complete", "complete")}


async def test_cancel_reaches_the_job_after_the_broker_came_back(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.job("first") as first:
        await producer.flush()
        broker.kill()
        await wait_until(lambda: producer._core.publisher._connected is None)
        async with producer.job("second") as second:
            broker.start()
            assert await ask_until_somebody_listens(broker.url, "jobs.first")
            assert await ask_until_somebody_listens(broker.url, "jobs.second")
            assert first.cancelled
            assert second.cancelled


async def test_nobody_listens_before_and_after_a_job(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        job = producer.job("j")
        await producer.flush()
        with pytest.raises(nats.errors.NoRespondersError):
            await ask(broker.url, "jobs.j")
        async with job:
            await producer.flush()
            with pytest.raises(nats.errors.NoRespondersError):
                await ask(broker.url, "jobs.other")
        await producer.flush()
        with pytest.raises(nats.errors.NoRespondersError):
            await ask(broker.url, "jobs.j")


async def test_second_wish_is_taken_and_says_nothing_new(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.job("j"):
        await producer.flush()
        assert await ask(broker.url, "jobs.j")
        assert await ask(broker.url, "jobs.j")

    assert [kind for kind, _, _ in await read_types(broker.url)] == ["start", "progress", "complete"]


async def test_command_that_is_none_is_not_obeyed(broker: Broker) -> None:
    async with Producer(broker.url) as producer, producer.job("j") as job:
        await producer.flush()
        for payload in (b"", b"{}", b'{"command":"explode"}', b"\xff"):
            with pytest.raises(nats.errors.TimeoutError):
                async with await connect(broker.url) as client:
                    await client.request(format_command_subject("default", "jobs.j"), payload, timeout=0.05)
        assert not job.cancelled
        assert await ask(broker.url, "jobs.j")


async def test_many_jobs_are_reached_each_by_its_own(broker: Broker) -> None:
    async with Producer(broker.url) as producer:
        jobs = [producer.job(f"j.{number}") for number in range(300)]
        for job in jobs:
            job.start()
        await producer.flush()
        for number in range(0, 300, 30):
            assert await ask(broker.url, jobs[number].topic)
        assert [number for number, job in enumerate(jobs) if job.cancelled] == list(range(0, 300, 30))
        for job in jobs:
            job.complete()


MAY_ACKNOWLEDGE = 'subscribe: ["_INBOX_acme.>"]'
MAY_HEAR = 'subscribe: ["_INBOX_acme.>", "commands.acme.>"]'


class GuardedBroker(Broker):
    """Its user may publish, and has the rights that the test gives it beside."""

    rights = MAY_ACKNOWLEDGE

    def _config(self) -> str:
        users = """authorization { users = [
            { user: admin, password: letmein }
            { user: acme, password: secret, permissions: {
                publish: ["events.acme.>", "$JS.API.STREAM.INFO.EVENTS"], RIGHTS } }
        ] }
        """
        return super()._config() + users.replace("RIGHTS", self.rights)

    @property
    def admin(self) -> str:
        return f"nats://admin:letmein@127.0.0.1:{self.port}"

    @property
    def acme(self) -> str:
        return f"nats://acme:secret@127.0.0.1:{self.port}"


@pytest.fixture
async def guarded_broker(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[GuardedBroker]:
    broker = GuardedBroker(tmp_path / "broker", port=pick_ports(1)[0])
    broker.rights = getattr(request, "param", MAY_ACKNOWLEDGE)
    broker.start()
    await create_stream(broker.admin)
    yield broker
    broker.kill()


@pytest.mark.parametrize("guarded_broker", [MAY_HEAR], indirect=True)
async def test_producer_that_may_not_answer_obeys_and_warns(guarded_broker: GuardedBroker) -> None:
    with capture_logs() as logs:
        async with (
            Producer(guarded_broker.acme, tenant="acme", settings=CALM) as producer,
            producer.job("j") as job,
        ):
            await producer.flush()
            for _ in range(2):
                with pytest.raises(nats.errors.TimeoutError):
                    async with await connect(guarded_broker.admin) as client:
                        await client.request(format_command_subject("acme", "jobs.j"), CANCEL, timeout=0.2)
            await wait_until(lambda: job.cancelled)
            await producer.publish("t", 1)

    assert [log["event"] for log in logs if log["log_level"] == "warning"] == [
        "commands to jobs are obeyed, but the broker refuses the answers"
    ]


@pytest.mark.parametrize("guarded_broker", [f"{MAY_HEAR}, allow_responses: {{ max: 1 }}"], indirect=True)
async def test_rights_that_a_producer_needs_are_enough(guarded_broker: GuardedBroker) -> None:
    async with Producer(guarded_broker.acme, tenant="acme") as producer, producer.job("j") as job:
        await producer.flush()
        assert await ask(guarded_broker.admin, "jobs.j", "acme")
        assert job.cancelled


async def test_producer_that_may_not_hear_commands_works_and_warns_once(guarded_broker: GuardedBroker) -> None:
    with capture_logs() as logs:
        async with Producer(guarded_broker.acme, tenant="acme") as producer:
            for number in range(3):
                async with producer.job(str(number)) as job:
                    job.update(1)
                    await producer.publish("t", 1)
            with pytest.raises(nats.errors.NoRespondersError):
                await ask(guarded_broker.admin, "jobs.0", "acme")
            guarded_broker.kill()
            guarded_broker.start()
            async with producer.job("4"):
                await producer.publish("t", 2)

    types = [kind for _, _, kind, _ in await read_events(guarded_broker.admin, "acme")]
    warnings: list[Any] = [log for log in logs if "commands" in log["event"]]
    assert types.count("complete") == 4
    assert len(warnings) == 1
    assert "commands.acme.jobs.0" in warnings[0]["reason"]
    assert not any("commands." in log.get("reason", "") for log in logs if log not in warnings)


def test_cancelled_job_may_still_complete() -> None:
    bench = Bench()
    with bench.job as job:
        assert job.ask_to_cancel()
        job.complete("all the same")
    bench.publisher.settle_all()

    assert bench.publisher.types == ["start", "progress", "complete"]
    assert not bench.publisher.newest.cancelling
    assert not job.ask_to_cancel()


def test_all_items_of_a_cancelled_job_may_be_done() -> None:
    bench = Bench()
    with bench.job as job:
        for item in job.track([1, 2]):
            if item == 2:
                job.ask_to_cancel()
    bench.publisher.settle_all()

    assert bench.publisher.types[-1] == "complete"


async def test_job_cancelled_of_a_task_group_ends_the_job_as_cancelled(broker: Broker) -> None:
    async def work() -> None:
        async with producer.job("j") as job:
            job.ask_to_cancel()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(check, job)

    async def check(job: Any) -> None:
        job.raise_if_cancelled()

    async with Producer(broker.url) as producer:
        with pytest.raises(ExceptionGroup):
            await work()

    assert (await read_types(broker.url))[-1][0] == "cancelled"


def test_group_with_another_error_fails_the_job() -> None:
    bench = Bench()

    def work() -> None:
        with bench.job as job:
            bench.publisher.settle()
            raise ExceptionGroup("both", [JobCancelled(job.topic), ValueError("no")])

    with pytest.raises(ExceptionGroup):
        work()

    assert bench.publisher.types == ["start", "failed"]
