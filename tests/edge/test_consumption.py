"""One consumer's deliveries: every break is seen, and what is no break is none."""

import pytest
from tailrace_edge.consumption import Broken, Consumption


class Trial:
    """A consumption, and what it answered."""

    def __init__(self, following: int = 1, *, expires: bool = False) -> None:
        self.answers: list[bytes] = []
        self.consumption = Consumption("5f2c91ab", following, self.answers.append, lambda _stored_at: expires)

    def deliver(self, sequence: int, consumer_sequence: int, *, pending: int = 0, header: bytes = b"") -> None:
        reply = f"$JS.ACK.EVENTS.c.1.{sequence}.{consumer_sequence}.1700000000000000000.{pending}".encode()
        self.consumption.receive(b"events.acme.a", reply, header, b"{}")

    def control(self, header: bytes, reply: bytes = b"") -> None:
        self.consumption.receive(b"_INBOX.x", reply, header, b"")

    def beat(self, last: int, *fields: str) -> None:
        lines = [f"Nats-Last-Consumer: {last}", "Nats-Last-Stream: 9", *fields]
        self.control("\r\n".join(["NATS/1.0 100 Idle Heartbeat", *lines, "", ""]).encode())

    def take(self) -> list[int]:
        return [entry.sequence for entry in self.consumption.take()]


def test_deliveries_in_order() -> None:
    trial = Trial()
    trial.deliver(1, 1, pending=1)
    assert trial.consumption.pending == 1
    trial.deliver(2, 2)
    assert (trial.take(), trial.take()) == ([1, 2], [])
    assert (trial.consumption.next, trial.consumption.pending, trial.consumption.deliveries) == (3, 0, 2)


def test_a_hole_in_the_stream_is_no_break() -> None:
    trial = Trial()
    trial.deliver(3, 1)
    trial.deliver(9, 2)
    assert trial.take() == [3, 9]


@pytest.mark.parametrize(("first", "gone"), [(9, 8), (1, None), (4, None), (5, 8)])
def test_a_hole_that_retention_may_have_made_has_to_be_explained(first: int, gone: int | None) -> None:
    """Nothing behind it is given out before the log's oldest sequence is known."""
    trial = Trial(expires=True)
    trial.deliver(1, 1)
    trial.deliver(2, 2)
    trial.deliver(3, 3)
    assert not trial.consumption.holed
    trial.deliver(9, 4)
    trial.deliver(10, 5)
    assert trial.consumption.holed
    assert (trial.take(), trial.take()) == ([1, 2, 3], [])
    assert trial.consumption.explain_hole(first) == gone
    assert not trial.consumption.holed
    assert trial.take() == [9, 10]


def test_what_is_missing_before_the_first_delivery_may_have_gone_since_the_consumer_was_made() -> None:
    trial = Trial(expires=True)
    trial.deliver(3, 1)
    assert trial.consumption.holed
    assert trial.take() == []
    assert trial.consumption.explain_hole(3) == 2
    assert trial.take() == [3]


@pytest.mark.parametrize(("sequence", "consumer_sequence"), [(3, 3), (2, 1), (1, 1), (3, 0)])
def test_a_hole_in_the_consumer_is_a_break(sequence: int, consumer_sequence: int) -> None:
    """That the consumer begins anew at 1, as after its host's restart, is one, too."""
    trial = Trial()
    trial.deliver(1, 1)
    with pytest.raises(Broken, match=f"consumer sequence {consumer_sequence} after 1"):
        trial.deliver(sequence, consumer_sequence)
    assert trial.take() == [1], "what came before it counts"


def test_what_came_another_way_is_left_out() -> None:
    trial = Trial(following=5)
    for sequence in range(3, 8):
        trial.deliver(sequence, sequence - 2)
    assert trial.take() == [5, 6, 7]


def test_markers_are_passed() -> None:
    trial = Trial()
    trial.deliver(1, 1, header=b"NATS/1.0\r\nNats-Marker-Reason: MaxAge\r\n\r\n")
    trial.deliver(2, 2)
    assert trial.take() == [2]


@pytest.mark.parametrize("status", [b"100 FlowControl Request", b"409 Consumer Deleted", b"503"])
def test_a_status_that_a_publisher_wrote_means_nothing(status: bytes) -> None:
    trial = Trial()
    trial.deliver(1, 1, header=b"NATS/1.0 " + status + b"\r\nNats-Last-Consumer: 99\r\n\r\n")
    assert trial.take() == [1]
    assert trial.answers == []


def test_heartbeats() -> None:
    trial = Trial()
    trial.beat(0)
    trial.deliver(1, 1)
    trial.beat(1)
    with pytest.raises(Broken, match="a heartbeat after delivery 3, 1 came"):
        trial.beat(3)


def test_flow_control_is_answered() -> None:
    trial = Trial()
    trial.control(b"NATS/1.0 100 FlowControl Request\r\n\r\n", reply=b"$JS.FC.EVENTS.c.1")
    trial.beat(0, "Nats-Consumer-Stalled: $JS.FC.EVENTS.c.2")
    assert trial.answers == [b"$JS.FC.EVENTS.c.1", b"$JS.FC.EVENTS.c.2"]


@pytest.mark.parametrize("header", [b"NATS/1.0 409 Consumer Deleted\r\n\r\n", b"NATS/1.0 503\r\n\r\n", b""])
def test_any_other_control_message_is_the_end(header: bytes) -> None:
    with pytest.raises(Broken, match="ended with status"):
        Trial().control(header)
