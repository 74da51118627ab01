"""Counts: what an engine has done since it was made."""


class Counts:
    """Plain numbers, which the metrics read.

    Attributes:
        events: taken in from the log.
        deliveries: frames handed to connections.
        bytes: of those frames.
        replays: streams that began behind the head, by where they were served from first.
        gaps: told to clients.
        resets: told to clients.
    """

    __slots__ = ("bytes", "deliveries", "events", "gaps", "replays", "resets")

    def __init__(self) -> None:
        self.events = 0
        self.deliveries = 0
        self.bytes = 0
        self.replays = {"tail": 0, "jetstream": 0}
        self.gaps = 0
        self.resets = 0
