"""Token streams: how evenly does a text grow before the eyes of whoever waits for it?

`--topics` texts are written at a time, `--speed` tokens a second each, and each user watches one of them. A text has
200 tokens; then the next begins, on the same topic. `--rate` does not count here.
"""

import random
from collections.abc import Sequence
from typing import Any

import options  # noqa: F401  # adds them
from locust import events
from producer_user import Events, ProducerUser
from sse_user import SSEUser

LENGTH = 200
"""Tokens of a text."""

TOKEN = "word "  # of a text
"""Each of them."""


@events.init_command_line_parser.add_listener
def _add_options(parser: Any) -> None:
    parser.add_argument("--speed", type=float, default=10, help="Tokens a second, of each text. Default: 10")


class TextReader(SSEUser):
    """Watches one text grow."""

    label = "reader"

    def choose_patterns(self) -> Sequence[str]:
        """Return one text."""
        return [f"{self.referee.root}.texts.{random.randrange(self.options.topics)}"]


class TextWriter(ProducerUser):
    """Writes all texts."""

    label = "writer"
    fixed_count = 1

    @property
    def rate(self) -> float:
        """Events a second."""
        return float(self.options.speed * self.options.topics)

    def make_events(self, first: int, count: int) -> Events:
        """Return the next token of each of the next texts."""
        return [self._make_event(*divmod(number, self.options.topics)) for number in range(first, first + count)]

    def _make_event(self, turn: int, text: int) -> dict[str, object]:
        topic = f"{self.referee.root}.texts.{text}"
        place = turn % (LENGTH + 2)
        if place == 0:
            return {"topic": topic, "type": "start", "data": {}}
        if place == LENGTH + 1:
            end = {"length": LENGTH * len(TOKEN), "text": TOKEN * LENGTH, "finish_reason": "stop"}
            return {"topic": topic, "type": "complete", "data": end}
        return {"topic": topic, "type": "token", "data": {"offset": (place - 1) * len(TOKEN), "text": TOKEN}}
