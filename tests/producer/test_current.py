"""The current job, as contextvars carry it."""

import asyncio
import contextvars
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from producer.workbench import Bench
from support.broker import Broker
from tailrace_producer import Job, Producer, SyncJob, SyncProducer, current_job


def test_none_outside_of_any_job() -> None:
    assert current_job() is None


def test_innermost_of_nested_jobs() -> None:
    bench = Bench()
    with bench.job as outer:
        assert current_job() is outer
        with outer.child("inner") as inner:
            assert current_job() is inner
        assert current_job() is outer
    assert current_job() is None


def test_contexts_that_overlap() -> None:
    bench = Bench()
    first, second = bench.job, bench.make("k")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current_job() is second
    second.__exit__(None, None, None)
    assert current_job() is None


def test_job_without_context_is_not_current() -> None:
    Bench().job.start()

    assert current_job() is None


def test_exception_leaves_the_job() -> None:
    def work() -> None:
        with Bench().job:
            raise KeyError

    with pytest.raises(KeyError):
        work()

    assert current_job() is None


def report() -> None:
    """Code deep in a service, which knows of no job."""
    job = current_job()
    assert job is not None
    job.update(advance=1)


async def test_each_task_has_its_own(broker: Broker) -> None:
    async def work(number: int) -> Job | SyncJob | None:
        async with producer.job(str(number)):
            await asyncio.sleep(0)
            await asyncio.gather(asyncio.to_thread(report), asyncio.create_task(report_in_task()))
            return current_job()

    async def report_in_task() -> None:
        report()

    async with Producer(broker.url) as producer:
        jobs = await asyncio.gather(*(work(number) for number in range(5)))
        assert current_job() is None

    assert [job.topic for job in jobs if job] == [f"jobs.{number}" for number in range(5)]
    assert all(job is not None and job._progress.done == 2 for job in jobs)


def test_threads_of_an_executor_take_it_along_in_a_copy_of_the_context() -> None:
    bench = Bench()
    with bench.job as job, ThreadPoolExecutor() as pool:
        assert pool.submit(current_job).result() is None
        for _ in range(3):
            pool.submit(contextvars.copy_context().run, report).result()

    assert job._progress.done == 3


async def test_context_that_is_left_elsewhere_does_no_harm() -> None:
    @asynccontextmanager
    async def dependency() -> AsyncIterator[SyncJob]:
        with Bench().job as job:
            yield job

    manager = dependency()
    job = await asyncio.create_task(manager.__aenter__())
    assert current_job() is None
    await asyncio.create_task(manager.__aexit__(None, None, None))

    assert job.status == "complete"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
async def test_forked_child_has_none(broker: Broker) -> None:
    producer = SyncProducer(broker.url)
    with producer.job("parent"):
        child = os.fork()
        if child == 0:
            os._exit(0 if current_job() is None else 1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert current_job() is not None
    producer.close()

    assert status == 0
