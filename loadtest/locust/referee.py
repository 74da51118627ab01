"""The referee: ends a run so that everything can be checked, and says whether it was clean.

When a run ends, all producers are hushed, everywhere; then every process waits until its clients have got what is
stored, and checks all of it; only then are the users stopped. The master waits for all processes, prints the verdict
and sets the exit code: 0 if all was checked and nothing is wrong, else 1. Attempts to connect that failed do not count.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import gevent
import msgspec
from audit import AuditFailed, Auditor, Tally
from history import Fault
from locust import events, log, stats
from locust.runners import MasterRunner, WorkerRunner

SHOWN = 20
"""Faults that each process tells in full."""

HUSH = "tailrace-hush"
HUSHED = "tailrace-hushed"
JUDGE = "tailrace-judge"
REPORT = "tailrace-report"

_PATIENCE = 30.0
"""Seconds beyond the time to settle that the master waits for its workers."""

logger = logging.getLogger(__name__)


class HistoryFault(Exception):
    """A fault that the audit found; locust groups failures by its text."""


class Report(msgspec.Struct):
    """What one process says at the end.

    Attributes:
        tally: of its audit.
        troubles: why it could not check everything; empty if it did.
    """

    tally: Tally
    troubles: list[str] = []

    def add(self, other: Self, owner: str) -> None:
        """Add what another process says."""
        self.tally.add(other.tally)
        self.troubles += [f"{owner}: {trouble}" for trouble in other.troubles]


class Referee:
    """Of one process.

    Attributes:
        hushed: whether producers have to be silent.
        started: when the run began, as `time.monotonic` tells.
    """

    def __init__(self, environment: Any) -> None:
        """Make that of an environment, before its first run."""
        self.hushed = False
        self.started = 0.0
        self._environment = environment
        self._publishing = 0
        self._auditor: Auditor | None = None
        self._shown = 0
        self._running = False
        self._troubles: list[str] = []
        self._report: Report | None = None

        # Of a master
        self._workers: set[str] = set()
        self._hushed_workers: set[str] = set()
        self._reports: dict[str, Report] = {}

    @property
    def root(self) -> str:
        """The topic below which all topics of the run lie."""
        return f"load.{self._options.run_id}"

    @property
    def auditor(self) -> Auditor:
        """That of the run."""
        if self._auditor is None:
            host = self._environment.host or self._environment.user_classes[0].host
            self._auditor = Auditor(host, self._options.tenant, f"{self.root}.>", blame=self._blame)
        return self._auditor

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Keep the end of the run from being judged while something is being published."""
        self._publishing += 1
        try:
            yield
        finally:
            self._publishing -= 1

    def complain(self, trouble: str) -> None:
        """Tell why this run cannot be what it was to be; it fails, whatever else comes of it."""
        if trouble not in self._troubles:
            self._troubles.append(trouble)
            logger.error("%s", trouble)

    # The run

    def join(self) -> None:
        """Take part in what master and workers tell each other."""
        runner = self._environment.runner
        if isinstance(runner, WorkerRunner):
            runner.register_message(HUSH, self._obey_hush, concurrent=True)
            runner.register_message(JUDGE, self._obey_judge, concurrent=True)
        elif isinstance(runner, MasterRunner):
            runner.register_message(HUSHED, self._hear_hushed)
            runner.register_message(REPORT, self._hear_report)

    def begin(self) -> None:
        """Begin a run."""
        self.hushed = False
        self.started = time.monotonic()
        self._auditor = None
        self._shown = 0
        self._troubles = []
        self._report = None
        self._running = True
        runner = self._environment.runner
        if isinstance(runner, MasterRunner):
            self._workers = {worker.id for worker in runner.clients.all}
            self._hushed_workers.clear()
            self._reports.clear()
        else:
            gevent.spawn(self._audit)

    def note_worker(self, worker: str) -> None:
        """Learn that a worker came."""
        self._workers.add(worker)

    def end(self) -> None:
        """End the run, once: hush the producers, let clients catch up, check everything."""
        if not self._running or isinstance(self._environment.runner, WorkerRunner):
            return
        self._running = False
        logger.info("waiting until all clients have what is stored")
        if isinstance(self._environment.runner, MasterRunner):
            self._report = self._end_workers()
        else:
            self._hush()
            self._report = self._judge()
        if not self._report.tally.received:
            self._report.troubles.append("no client got any event")
        if self._environment.runner.exceptions:
            self._report.troubles.append("users raised exceptions, which stand above")
        if log.unhandled_greenlet_exception:
            self._report.troubles.append("something failed in this program, as stands above")
        if not self._options.headless:  # the page goes on
            logger.info("%s", "\n".join(self._describe()))

    def set_exit_code(self) -> None:
        """End the run if it still goes on, and say with the exit code what came of it."""
        self.end()
        if isinstance(self._environment.runner, WorkerRunner):
            self._environment.process_exit_code = 0  # what counts is the master's
        elif self._report is not None:
            clean = not self._report.troubles and not self._report.tally.faults
            self._environment.process_exit_code = 0 if clean else 1

    def print_verdict(self) -> None:
        """Print what came of the run, below locust's tables."""
        if self._report is None:
            return
        print(*self._describe(), sep="\n", flush=True)
        # locust 2.47 closes the CSV files next, while what writes them every second goes on: the last second would be
        # missing, and it would fail. It wakes once more, and not again.
        last_written = stats.CSV_STATS_INTERVAL_SEC
        stats.CSV_STATS_INTERVAL_SEC = 3600
        gevent.sleep(last_written + 0.1)

    def _describe(self) -> list[str]:
        assert self._report is not None
        troubles = [f"the run failed: {trouble}" for trouble in self._report.troubles]
        return [self._report.tally.describe(), *troubles]

    # One process

    def _audit(self) -> None:
        while self._running and not self.hushed:
            gevent.sleep(self._options.audit_every)
            if self.hushed:
                return
            begun = time.perf_counter()
            try:
                self.auditor.check()
            except AuditFailed as error:
                logger.warning("the audit is put off: %s", error)
                self._fire("audit", begun, str(error))
            else:
                self._fire("audit", begun)

    def _hush(self) -> None:
        self.hushed = True
        _wait(lambda: not self._publishing, self._options.settle)

    def _judge(self) -> Report:
        self._running = False
        try:
            self.auditor.finish(time.monotonic() + self._options.settle)
        except AuditFailed as error:
            self.complain(str(error))
        return Report(self.auditor.tally, self._troubles)

    def _blame(self, fault: Fault) -> None:
        self._fire(str(fault.kind), None, str(fault.kind))
        self._shown += 1
        if self._shown <= SHOWN:
            logger.error("%s", fault)

    def _fire(self, name: str, since: float | None, error: str | None = None) -> None:
        self._environment.events.request.fire(
            request_type="CHECK",
            name=name,
            response_time=0 if since is None else (time.perf_counter() - since) * 1000,
            response_length=0,
            exception=None if error is None else HistoryFault(error),
            context={},
        )

    # A worker

    def _obey_hush(self, **_: Any) -> None:
        self._hush()
        self._environment.runner.send_message(HUSHED)

    def _obey_judge(self, **_: Any) -> None:
        self._environment.runner.send_message(REPORT, msgspec.to_builtins(self._judge()))

    # A master

    def _end_workers(self) -> Report:
        runner = self._environment.runner
        patience = self._options.settle + _PATIENCE
        runner.send_message(HUSH)
        _wait(lambda: self._workers <= self._hushed_workers, patience)
        runner.send_message(JUDGE)
        _wait(lambda: self._workers <= self._reports.keys(), patience)
        report = Report(Tally())
        for worker in sorted(self._workers):
            report.add(self._reports.get(worker, Report(Tally(), ["was gone at the end"])), f"worker {worker}")
        return report

    def _hear_hushed(self, msg: Any, **_: Any) -> None:
        self._hushed_workers.add(msg.node_id)

    def _hear_report(self, msg: Any, **_: Any) -> None:
        self._reports[msg.node_id] = msgspec.convert(msg.data, Report)

    @property
    def _options(self) -> Any:
        return self._environment.parsed_options


_referees: dict[int, Referee] = {}


def find_referee(environment: Any) -> Referee:
    """Return the referee of this process."""
    return _referees.setdefault(id(environment), Referee(environment))


def _wait(condition: Callable[[], bool], patience: float) -> None:
    deadline = time.monotonic() + patience
    while not condition() and time.monotonic() < deadline:
        gevent.sleep(0.05)


@events.init.add_listener
def _join(environment: Any, **_: Any) -> None:
    # gevent counts from when its loop ran last, which was before all was loaded: locust would end the run too early.
    gevent.get_hub().loop.update_now()
    find_referee(environment).join()
    events.worker_connect.add_listener(lambda client_id, **_: find_referee(environment).note_worker(client_id))
    events.quit.add_listener(lambda **_: find_referee(environment).print_verdict())


@events.test_start.add_listener
def _begin(environment: Any, **_: Any) -> None:
    find_referee(environment).begin()


@events.test_stopping.add_listener
def _end(environment: Any, **_: Any) -> None:
    find_referee(environment).end()


@events.quitting.add_listener
def _set_exit_code(environment: Any, **_: Any) -> None:
    find_referee(environment).set_exit_code()
