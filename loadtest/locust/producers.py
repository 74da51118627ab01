"""Producers at a set rate: how many events do the edges take over HTTP, and how long until they are acknowledged?

Each user publishes `--rate` events a second; ten clients watch all of them, so that what comes out is checked, too.
"""

from collections.abc import Sequence

import options  # noqa: F401  # adds them
from producer_user import TopicsProducer
from sse_user import SSEUser


class RateProducer(TopicsProducer):
    """Publishes to all topics in turn."""

    label = "producer"


class RateWatcher(SSEUser):
    """Watches everything."""

    label = "watcher"
    fixed_count = 10

    def choose_patterns(self) -> Sequence[str]:
        """Return the pattern of all topics."""
        return [f"{self.referee.root}.>"]
