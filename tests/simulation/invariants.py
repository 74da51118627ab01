"""What holds of an engine at any time, between two calls."""

from tailrace_edge.engine.engine import Engine
from tailrace_edge.engine.subscriber import Place, Subscriber

from simulation.client import check
from simulation.edge import Edge

_PREFACE_BYTES = 4096


def check_engine(edge: Edge) -> None:
    """Check the books of an edge's engine against each other."""
    engine = edge.engine
    tail = engine.log.tail
    check(tail.size <= edge.limits.tail_bytes or len(tail) == 1, f"the tail takes {tail.size} bytes")
    check(set(engine.subscribers) == set(edge.connections), "the engine's subscribers are not the edge's")
    found = _find_places(engine)
    for subscriber, connection in edge.connections.items():
        place = subscriber.place
        books = [] if place in (Place.PACED, Place.BLOCKED) else [place]
        check(found.pop(subscriber, []) == books, f"{place}, but not in its book alone")
        check((place is Place.BLOCKED) == (connection.rest is not None), f"{place}, but the connection is not")
        check(
            (place is Place.BLOCKED) == (subscriber.blocked_at is not None), f"{place}, but blocked_at says otherwise"
        )
        check(len(subscriber.preface) < _PREFACE_BYTES, f"{len(subscriber.preface)} bytes are queued")
    check(not found, f"left behind in the books: {found}")
    paced = {subscriber for _, _, subscriber in engine._places._paced}
    due = engine.next_due
    for subscriber in edge.connections:
        if subscriber.place is Place.PACED:
            check(subscriber in paced and due is not None and due <= subscriber.due, "one paced is never due")
    live = sum(s.place in (Place.LIVE, Place.WAITING) for s in edge.connections)
    check((engine.count_live(), engine.count_subscribers()) == (live, len(edge.connections)), "counted wrong")


def _find_places(engine: Engine) -> dict[Subscriber, list[Place]]:
    places = engine._places
    books = [(Place.READY, places.ready), (Place.COLD, places.cold), (Place.AHEAD, places.ahead)]
    for group in engine._hub:
        books += [(Place.LIVE, group.live), (Place.WAITING, group.waiting)]
    members = {member for reading in places.readings for member in reading.members if member.place is Place.READING}
    books.append((Place.READING, dict.fromkeys(members)))
    found: dict[Subscriber, list[Place]] = {}
    for place, book in books:
        for subscriber in book:
            found.setdefault(subscriber, []).append(place)
    return found
