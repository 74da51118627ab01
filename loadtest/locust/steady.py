"""Steady watchers: how late do events come, and what does a stream cost, while nothing happens?

Each user watches one topic of `--topics`; one producer publishes `--rate` events a second to them in turn. So each
user gets rate / topics events a second.
"""

import random
from collections.abc import Sequence

import options  # noqa: F401  # adds them
from producer_user import TopicsProducer
from sse_user import SSEUser


class SteadyWatcher(SSEUser):
    """Watches one job, as the page of a user does."""

    label = "watcher"

    def choose_patterns(self) -> Sequence[str]:
        """Return one topic."""
        return [f"{self.referee.root}.jobs.{random.randrange(self.options.topics)}"]


class SteadyProducer(TopicsProducer):
    """The one that works on all jobs."""

    label = "producer"
    fixed_count = 1
