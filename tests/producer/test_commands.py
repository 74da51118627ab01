"""Which subscriptions there are for the jobs that run; tests/producer/test_cancel.py tries them at a real broker."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec
from tailrace_producer.commands import FIRST_SUBSCRIPTION, Commands
from tailrace_protocol.commands import Command, CommandKind

CANCEL = msgspec.json.encode(Command(CommandKind.CANCEL))


class Loop:
    def call_soon_threadsafe(self, call: Callable[..., None], *args: Any) -> None:
        call(*args)


class Job:
    def __init__(self, *, running: bool = True) -> None:
        self.running = running
        self.asked = 0

    def ask_to_cancel(self) -> bool:
        self.asked += 1
        return self.running


def make_commands() -> tuple[Commands, list[bytes]]:
    commands, written = Commands("acme"), list[bytes]()
    commands.start(cast("asyncio.AbstractEventLoop", Loop()))
    commands.attach(written.append)
    return commands, written


def test_one_subscription_while_jobs_of_a_topic_run() -> None:
    commands, written = make_commands()
    first, second = Job(), Job()
    commands.add("jobs.a", first)
    commands.add("jobs.a", second)
    commands.remove("jobs.a", first)
    assert written == [b"SUB commands.acme.jobs.a 1000000\r\n"]
    commands.remove("jobs.a", second)
    commands.remove("jobs.a", second)

    assert written[1:] == [b"UNSUB 1000000\r\n"]


def test_new_connection_gets_those_that_run() -> None:
    commands, _ = make_commands()
    jobs = [Job(), Job(), Job()]
    for number, job in enumerate(jobs):
        commands.add(f"jobs.{number}", job)
    commands.detach()
    commands.remove("jobs.1", jobs[1])
    written: list[bytes] = []
    commands.attach(written.append)

    assert written == [b"SUB commands.acme.jobs.0 1000000\r\nSUB commands.acme.jobs.2 1000002\r\n"]


def test_all_jobs_of_the_topic_are_asked_and_the_answer_says_whether_one_runs() -> None:
    commands, written = make_commands()
    ended, running = Job(running=False), Job()
    commands.add("jobs.a", ended)
    commands.take(FIRST_SUBSCRIPTION, b"_INBOX.1", CANCEL)
    commands.add("jobs.a", running)
    commands.take(FIRST_SUBSCRIPTION, b"_INBOX.2", CANCEL)
    commands.take(FIRST_SUBSCRIPTION + 7, b"_INBOX.3", CANCEL)
    commands.take(FIRST_SUBSCRIPTION, b"", CANCEL)

    assert written[1:] == [
        b'PUB _INBOX.1 15\r\n{"taken":false}\r\n',
        b'PUB _INBOX.2 14\r\n{"taken":true}\r\n',
        b'PUB _INBOX.3 15\r\n{"taken":false}\r\n',
    ]
    assert (ended.asked, running.asked) == (3, 2)


def test_refused_subscriptions_are_not_tried_again_on_the_connection() -> None:
    commands, written = make_commands()
    commands.add("jobs.a", Job())
    commands.refuse("no")
    commands.add("jobs.b", Job())
    assert len(written) == 1
    commands.attach(written.append)

    assert b"jobs.b" in written[1]
