"""The world: a stream, edges and clients, and what may happen to them, one random step after the other."""

import random
from collections.abc import Callable

from tailrace_edge.engine.entry import Format
from tailrace_edge.engine.hub import Interest
from tailrace_edge.engine.limits import Limits
from tailrace_edge.engine.subscriber import Place
from tailrace_protocol.patterns import cover_patterns
from tailrace_protocol.positions import Position
from tailrace_protocol.starts import Start

from simulation.client import Client, Violation
from simulation.edge import Connection, Edge, Task
from simulation.invariants import check_engine
from simulation.stream import PATHS, Stream

_PATTERNS = [*PATHS, "acme.jobs.*", "acme.x.>", "acme.users.*.jobs.*", "acme.>", "acme.*.y", "beta.*.*", "acme.none"]
_EPOCH = 0x5F2C91AB


class World:
    """One run. What happens in it depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        random.seed(seed)  # the heartbeat wheel's
        self.trace: list[str] = []
        self.now = 1000.0
        self.streams: dict[str, Stream] = {}
        self.stream = self._name(Stream(f"{_EPOCH:08x}"))
        for _ in range(rng.choice((0, 5, 40))):
            self.stream.append_random(rng)
        self.edges = [self._make_edge(f"edge-{number}") for number in range(rng.randint(1, 3))]
        self.clients: list[Client] = []
        for number in range(rng.randint(1, 6)):
            self.clients.append(self._make_client(f"client-{number}"))
        self._steps, self._weights = self._choose_steps()

    def run(self) -> None:
        """Let things happen, then let all come to rest, and check what every client has."""
        for _ in range(self.rng.choice((40, 90, 150))):
            step = self.rng.choices(self._steps, cum_weights=self._weights)[0]
            step()
            self._check()
        self._come_to_rest()
        self._check_ends()
        for path in PATHS:
            self.stream.append(path, b"the last")
        self._come_to_rest()
        self._check_ends()

    def _choose_steps(self) -> tuple[list[Callable[[], None]], list[float]]:
        rng = self.rng
        quiet = rng.random() < 0.4
        rare = 0 if quiet else rng.choice((0.3, 1, 3))
        steps: dict[Callable[[], None], float] = {
            self._append: rng.choice((5, 15)),
            self._follow: rng.choice((5, 20)),
            self._serve: 20,
            self._read: 15,
            self._connect: 8,
            self._narrow: rng.choice((0, 4)),
            self._widen: 6,
            self._cut: rng.choice((0, 2)),
            self._lose: 1,
            self._plan: rng.choice((2, 8)),
            self._go_on_reading: rng.choice((4, 12)),
            self._catch_up: 5,
            self._abort_reading: rng.choice((0, 1)),
            self._ask: 3,
            self._settle: 3,
            self._beat: 3,
            self._wait: 6,
            self._drain: 0.3,
            self._delete: rare,
            self._delete_path: rare,
            self._expire: rare,
            self._recreate: rare / 4,
            self._restore: rare / 4,
            self._discover: rare,
        }
        weights = list(steps.values())
        return list(steps), [sum(weights[: index + 1]) for index in range(len(weights))]

    # What is in it

    def _name(self, stream: Stream) -> Stream:
        self.streams[stream.epoch] = stream
        return stream

    def _make_edge(self, name: str) -> Edge:
        rng = self.rng
        limits = Limits(
            tail_bytes=rng.choice((0, 3000, 12_000, 1 << 20)),
            batch_events=rng.choice((1, 2, 7, 512)),
            batch_bytes=rng.choice((1, 400, 256 << 10)),
        )
        return Edge(name, limits, self.stream, rng, self.now)

    def _make_client(self, name: str) -> Client:
        rng = self.rng
        if self.clients and rng.random() < 0.3:
            return Client(name, rng.choice(self.clients).interest, self._choose_start(), self.streams)
        until = rng.random() < 0.15
        patterns = cover_patterns(rng.sample(_PATTERNS, rng.choice((1, 1, 2, 4))))
        interest = Interest(
            tuple(sorted(patterns)),
            frozenset(rng.sample(("progress", "complete", "message", "log"), 2)) if rng.random() < 0.2 else None,
            rng.choice(list(Format)),
            rng.choice((0.5, 2.0, 10.0)) if rng.random() < 0.25 else None,
            until,
        )
        return Client(name, interest, self._choose_start(), self.streams)

    def _choose_start(self) -> Start | Position:
        rng = self.rng
        if rng.random() < 0.25:
            epoch = rng.choice((self.stream.epoch, self.stream.epoch, "deadbeef"))
            return Position(epoch, rng.randint(0, self.stream.last + 10))
        return rng.choice(list(Start))

    # What may happen to the stream

    def _append(self) -> None:
        count = self.rng.choice((1, 1, 3, 12))
        self._note(f"append {count} after {self.stream.last}")
        for _ in range(count):
            self.stream.append_random(self.rng)

    def _delete(self) -> None:
        if self.stream.last:
            sequence = self.rng.randint(1, self.stream.last)
            self._note(f"delete {sequence}")
            self.stream.delete(sequence)

    def _delete_path(self) -> None:
        path = self.rng.choice(PATHS)
        self._note(f"delete {path}")
        self.stream.delete_path(path)

    def _expire(self) -> None:
        first = self.rng.randint(self.stream.first, self.stream.last + 1)
        self._note(f"expire up to {first}")
        self.stream.expire(first)

    def _recreate(self) -> None:
        self.stream = self._name(Stream(self._next_epoch()))
        self._note(f"recreate as {self.stream.epoch}")

    def _restore(self) -> None:
        last = self.rng.randint(0, self.stream.last)
        self.stream = self._name(self.stream.restore(self._next_epoch(), last))
        self._note(f"restore up to {last} as {self.stream.epoch}")

    def _next_epoch(self) -> str:
        return f"{_EPOCH + len(self.streams):08x}"

    # What may happen to edges

    def _discover(self) -> None:
        edge = self._pick_edge()
        self._note(f"{edge.engine.name} discovers {self.stream.epoch}")
        edge.discover(self.stream)

    def _follow(self) -> None:
        edge = self._pick_edge()
        count = self.rng.choice((1, 2, 5, 30))
        self._note(f"{edge.engine.name} follows {count} after {edge.engine.log.head}")
        edge.follow(count)

    def _serve(self) -> None:
        edge = self._pick_edge()
        served = edge.serve(self.rng.choice((1, 3, 10)))
        self._note(f"{edge.engine.name} serves {served}")

    def _plan(self) -> None:
        edge = self._pick_edge()
        if len(edge.tasks) < 3:
            self._note(f"{edge.engine.name} plans a reading")
            edge.plan(stale=self.rng.random() < 0.3)

    def _go_on_reading(self) -> None:
        edge, task = self._pick_task()
        if task is not None:
            count = self.rng.choice((1, 2, 5, 50))
            self._note(f"{edge.engine.name} reads {count} after {task.position}")
            edge.read(task, count, feed=self.rng.random() < 0.8)

    def _catch_up(self) -> None:
        edge, task = self._pick_task()
        if task is not None:
            self._note(f"{edge.engine.name} goes on with what it read up to {task.reading.reached}")
            edge.catch_up(task)

    def _abort_reading(self) -> None:
        edge, task = self._pick_task()
        if task is not None:
            self._note(f"{edge.engine.name} aborts a reading at {task.position}")
            edge.end(task)

    def _ask(self) -> None:
        edge = self._pick_edge()
        if edge.stream is self.stream:
            self._note(f"{edge.engine.name} asks the leader")
            edge.ask()

    def _settle(self) -> None:
        edge = self._pick_edge()
        self._note(f"{edge.engine.name} hears from the leader")
        edge.settle()

    def _beat(self) -> None:
        edge = self._pick_edge()
        self._note(f"{edge.engine.name} beats")
        edge.beat()

    def _drain(self) -> None:
        edge = self._pick_edge()
        self._note(f"{edge.engine.name} drains")
        edge.drain()

    def _wait(self) -> None:
        self._pass_time(self.rng.choice((0.001, 0.05, 0.6, 2.5, 16.0, 40.0)))

    def _pass_time(self, seconds: float) -> None:
        self._note(f"{seconds} s pass")
        self.now += seconds
        for edge in self.edges:
            edge.now = self.now

    # What may happen to clients

    def _connect(self) -> None:
        client = self.rng.choice(self.clients)
        if client.connection is None and not client.finished:
            edge = self._pick_edge()
            self._note(f"{client.name} connects to {edge.engine.name} with {client.id or client.start}")
            edge.connect(client)

    def _read(self) -> None:
        if (connection := self._pick_connection()) is not None:
            count = self.rng.choice((1, 20, 300, None))
            self._note(f"{connection.client.name} reads {count}")
            connection.read(count)

    def _narrow(self) -> None:
        if (connection := self._pick_connection()) is not None and connection.rest is None:
            connection.room = self.rng.choice((0, self.rng.randrange(600)))
            self._note(f"{connection.client.name} has room for {connection.room}")

    def _widen(self) -> None:
        if (connection := self._pick_connection()) is not None and not connection.ended:
            count = self.rng.choice((self.rng.randrange(300), None))
            self._note(f"{connection.client.name} makes room for {count}")
            connection.take(count)

    def _cut(self) -> None:
        if (connection := self._pick_connection()) is not None:
            self._note(f"{connection.client.name} is cut off")
            connection.read(self.rng.randrange(sum(len(chunk) for chunk, _ in connection.wire) + 1))
            connection.client.end()
            if self.rng.random() < 0.7:
                connection.edge.drop(connection)

    def _lose(self) -> None:
        edge = self._pick_edge()
        gone = [
            connection for connection in edge.connections.values() if connection.client.connection is not connection
        ]
        if gone:
            self._note(f"{edge.engine.name} finds that {gone[0].client.name} is gone")
            edge.drop(gone[0])

    # Choices

    def _pick_edge(self) -> Edge:
        return self.rng.choice(self.edges)

    def _pick_task(self) -> tuple[Edge, Task | None]:
        edge = self._pick_edge()
        return edge, self.rng.choice(edge.tasks) if edge.tasks else None

    def _pick_connection(self) -> Connection | None:
        return self.rng.choice(self.clients).connection

    # The end

    def _come_to_rest(self) -> None:
        self._note("all come to rest")
        for _ in range(50):
            for edge in self.edges:
                self._calm(edge)
            for client in self.clients:
                self._calm_client(client)
            self._pass_time(3.0)
            self._check()
            if all(self._rests(client) for client in self.clients):
                return
        restless = [client for client in self.clients if not self._rests(client)]
        places = [client.connection and client.connection.subscriber.place for client in restless]
        raise Violation(f"no rest for {[client.name for client in restless]}, at {places}")

    def _calm(self, edge: Edge) -> None:
        edge.discover(self.stream)
        for connection in list(edge.connections.values()):
            connection.take(None)
        edge.follow(self.stream.last)
        while self.stream.stored(edge.engine.log.head):
            edge.follow(self.stream.last)
        for connection in list(edge.connections.values()):
            if connection.client.connection is not connection:
                edge.drop(connection)
        edge.ask()
        edge.settle()
        edge.beat()
        for task in list(edge.tasks):
            edge.end(task)
        for _ in range(500):
            if edge.serve(100) == 0 and not edge.tasks:
                edge.plan(stale=False)
                if not edge.tasks:
                    return
            for task in list(edge.tasks):
                edge.read(task, 50)
            for task in list(edge.tasks):
                edge.catch_up(task)
        raise Violation(f"{edge.engine.name} serves for ever")

    def _calm_client(self, client: Client) -> None:
        if client.connection is not None:
            client.connection.read(None)
        if client.connection is None and not client.finished:
            self._pick_edge().connect(client)

    def _rests(self, client: Client) -> bool:
        if client.finished:
            return True
        connection = client.connection
        if connection is None or connection.wire or connection.ended:
            return False
        subscriber = connection.subscriber
        if subscriber.place is Place.AHEAD:
            return subscriber.cursor <= self.stream.last  # those in between are deleted
        return subscriber.place in (Place.LIVE, Place.WAITING)

    def _check_ends(self) -> None:
        for client in self.clients:
            if client.finished or client.connection is None:
                continue
            client.check_end(self.stream.last)
            if client.connection.jobs is not None:
                client.connection.jobs.check_unfinished(client)

    def _check(self) -> None:
        for edge in self.edges:
            check_engine(edge)

    def _note(self, what: str) -> None:
        self.trace.append(what)
