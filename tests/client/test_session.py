"""The policy of a stream, without I/O: a fake clock, chosen bytes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_edge import FINISHED, format_id, write_control, write_event, write_open
from tailrace_client.backoff import Backoff
from tailrace_client.edges import Edges
from tailrace_client.items import Item
from tailrace_client.link import Link, LinkState
from tailrace_client.session import Session
from tailrace_protocol.closing import CloseReason
from tailrace_protocol.control import Closing, Mode
from tailrace_protocol.events import Event
from tailrace_protocol.positions import parse_position

STREAM = {"content-type": "text/event-stream"}
URL = "http://edge"


class Highest(random.Random):
    """Always draws the highest value."""

    def uniform(self, a: float, b: float) -> float:
        return b


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def make_session(clock: Clock | None = None, links: list[Link] | None = None) -> Session:
    return Session(
        Edges(URL, "acme", None),
        [("topic", ">"), ("from", "start")],
        backoff=Backoff(source=Highest()),
        clock=clock or Clock(),
        observe=None if links is None else links.append,
    )


def open_stream(session: Session, *frames: bytes) -> list[Item]:
    session.connect()
    session.respond(200, STREAM)
    return list(session.receive(b"".join(frames)))


def test_failures_in_a_row_wait_longer() -> None:
    """Attempts that bring nothing back off as the table says."""
    session = make_session()
    delays = []
    for _ in range(7):
        session.connect()
        session.lose("refused")
        delays.append(session.delay)

    assert delays == [1, 2, 4, 8, 16, 30, 30]
    assert session.link == Link(LinkState.OFFLINE, retry_in=30, reason="refused")


def test_connecting_alone_is_no_headway() -> None:
    """Edges that open streams and drop them at once are not asked ever faster."""
    session = make_session()
    delays = []
    for _ in range(4):
        open_stream(session, write_open(0))
        session.lose("dropped")
        delays.append(session.delay)

    assert delays == [1, 2, 4, 8]


def test_event_past_the_cursor_is_headway() -> None:
    """A new event makes the next failure the first one; one that came before does not."""
    session = make_session()
    session.connect()
    session.lose("refused")
    open_stream(session, write_open(0), write_event(1))
    session.lose("dropped")
    after_new = session.delay
    open_stream(session, write_open(1), write_event(1))
    session.lose("dropped")

    assert after_new == 1
    assert session.delay == 2


@pytest.mark.parametrize(("seconds", "delay"), [(9.9, 2), (10, 1)])
def test_ten_healthy_seconds_are_headway(seconds: float, delay: float) -> None:
    """Bytes over ten seconds count, silence does not."""
    clock = Clock()
    session = make_session(clock)
    session.connect()
    session.lose("refused")
    open_stream(session, write_open(0))
    clock.now += seconds
    list(session.receive(b": hb\n"))
    clock.now += 300
    session.lose("dropped")

    assert session.delay == delay


def test_orderly_move_is_no_failure() -> None:
    """`closing` takes exactly its retry, and leaves the count of failures as it is."""
    session = make_session()
    open_stream(session, write_open(0), write_event(1), write_control(Closing(CloseReason.MAX_AGE, 700)))
    moved = session.delay
    session.connect()
    session.lose("refused")

    assert moved == 0.7
    assert session.delay == 1


def test_moves_without_headway_back_off() -> None:
    """Edges that all send the client away at once are not asked in a hot loop; headway makes a move orderly again."""
    session = make_session()
    closing = write_control(Closing(CloseReason.DRAIN, 0))
    delays = []
    for _ in range(4):
        open_stream(session, write_open(0), closing)
        delays.append(session.delay)
    open_stream(session, write_open(0), write_event(1), closing)

    assert delays == [0, 1, 2, 4]
    assert session.delay == 0


def test_absurd_retry_of_closing_is_bounded() -> None:
    """An edge that never wants the client back says so otherwise."""
    session = make_session()
    open_stream(session, write_open(0), write_control(Closing(CloseReason.DRAIN, 10**15)))

    assert session.delay == 3600


def test_retry_outlives_the_connection() -> None:
    """The stream's `retry` holds for failures after the next one too (WHATWG: the reconnection time)."""
    session = make_session()
    open_stream(session, write_open(0, retry=5000))
    session.lose("dropped")
    session.connect()
    session.lose("refused")
    open_stream(session, write_open(0))
    session.lose("dropped")

    assert session.delay == 5 + 4


@pytest.mark.parametrize(("retry_after", "floor"), [("11", 11), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", 0)])
def test_retry_after_is_a_floor(retry_after: str, floor: float) -> None:
    """Seconds or a date, as RFC 9110 has it; anything else counts for nothing."""
    session = make_session()
    session.connect()
    session.respond(503, {"retry-after": retry_after}, b"busy")

    assert session.delay == floor + 1


def test_patience_follows_the_heartbeat() -> None:
    """Before `open` it is the timeout, then 2.5 intervals, and the timeout again on the next connection."""
    session = make_session()
    session.connect()
    session.respond(200, STREAM)
    before = session.patience
    list(session.receive(write_open(0, heartbeat=15)))
    after = session.patience
    session.lose("dropped")
    session.connect()

    assert (before, after, session.patience) == (10, 37.5, 10)


def test_link_tells_the_way() -> None:
    """Each change is told once, with edge, reconnects and reason."""
    links: list[Link] = []
    session = make_session(links=links)
    open_stream(session, write_open(0, edge="one"), write_event(1))
    session.lose("no byte", silent=True)
    session.connect()
    session.lose("refused", silent=True)
    open_stream(session, write_open(1, edge="two"), write_event(2), FINISHED)

    assert links == [
        Link(LinkState.LIVE, edge="one"),
        Link(LinkState.STALE, edge="one", retry_in=1, reason="no byte"),
        Link(LinkState.OFFLINE, edge="one", retry_in=2, reason="refused"),
        Link(LinkState.LIVE, edge="two", reconnects=1),
        Link(LinkState.ENDED, edge="two", reconnects=1, reason="the edge closed the stream: finished"),
    ]
    assert session.ended


def test_items_not_taken_do_not_count() -> None:
    """The cursor stands behind the item in hand, whatever else the chunk holds."""
    session = make_session()
    session.connect()
    session.respond(200, STREAM)
    items = session.receive(write_open(0) + write_event(1) + write_event(2))
    next(items)

    assert session.cursor == format_id(1)
    assert session.connect().headers["last-event-id"] == format_id(1)


def test_nothing_after_closing_is_read() -> None:
    """What stands behind `closing` is left for the next connection."""
    session = make_session()
    closing = write_control(Closing(CloseReason.DRAIN, 100))

    assert open_stream(session, write_open(0), closing, write_event(1)) == []
    assert session.cursor == format_id(0)


def test_token_and_id_stand_in_headers() -> None:
    """URLs are logged; the token is not in them."""
    edges = Edges(["http://one", "https://two/base/"], "acme", "secret")
    session = Session(edges, [("topic", "a.>")], cursor=parse_position(format_id(4)))
    first = session.connect()
    session.lose("refused")
    second = session.connect()

    assert first.url == "http://one/v1/acme/events?topic=a.%3E"
    assert second.url == "https://two/base/v1/acme/events?topic=a.%3E"
    assert second.headers["authorization"] == "Bearer secret"
    assert second.headers["last-event-id"] == format_id(4)


def test_next_stream_begins_where_the_last_one_was_opened() -> None:
    """An edge that is away is not tried first by every new stream."""
    edges = Edges(["http://away", "http://there"], "acme", None)
    first = Session(edges, [("topic", ">")])
    first.connect()
    first.lose("refused")
    open_stream(first, write_open(0))
    second = Session(edges, [("topic", ">")])

    assert second.connect().url.startswith("http://there/")


def split(data: bytes, source: random.Random) -> Iterator[bytes]:
    while data:
        size = source.choice([1, 2, 7, 40, 400])
        yield data[:size]
        data = data[size:]


@given(seed=st.integers(0, 2**32), length=st.integers(0, 30))
def test_any_edge_any_chunks_any_cuts(seed: int, length: int) -> None:
    """However the bytes come, and wherever the connection breaks or the loop stops: each event once, in order.

    The edge may send again what came before the client's id; the loop may be left and entered again at any item.
    """
    source = random.Random(seed)
    session = make_session()
    taken = []
    for _ in range(10_000):
        if session.ended:
            break
        last = session.connect().headers.get("last-event-id")
        session.respond(200, STREAM)
        after = 0 if last is None else parse_position(last).sequence
        again = max(0, after - source.randrange(3))
        frames = [write_event(sequence) for sequence in range(again + 1, length + 1)]
        body = write_open(after, mode=Mode.LIVE if last is None else Mode.RESUMED)
        body += b"".join(source.choice([b"", b": hb\n"]) + frame for frame in frames) + FINISHED
        cut = source.randrange(len(body) * 2)
        left = False
        for chunk in split(body[:cut], source):
            for item in session.receive(chunk):
                assert isinstance(item, Event)
                taken.append(item.data)
                left = source.random() < 0.05
                if left:
                    break
            if left or not session.reading:
                break
        if not left and session.reading:
            session.lose("cut")

    assert session.ended
    assert taken == list(range(1, length + 1))
