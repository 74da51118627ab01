"""Dashboards: what do wildcards cost, and how fast is the first paint?

Each user watches `--topics` topics with patterns, and begins with the newest event of each (`from=last`); one producer
publishes `--rate` events a second. A dashboard of a team sees a tenth of them, that of an operator all.
"""

import random
from collections.abc import Sequence

import options  # noqa: F401  # adds them
from producer_user import Events, ProducerUser
from sse_user import SSEUser

TEAMS = 10


class TeamDashboard(SSEUser):
    """Watches the jobs of one team, and announcements to all."""

    label = "team"
    beginning = "last"
    weight = 9

    def choose_patterns(self) -> Sequence[str]:
        """Return the patterns of one team."""
        team = random.randrange(TEAMS)
        return [f"{self.referee.root}.teams.{team}.jobs.*", f"{self.referee.root}.announcements.>"]


class OperatorDashboard(SSEUser):
    """Watches the jobs of all teams."""

    label = "operator"
    beginning = "last"
    weight = 1

    def choose_patterns(self) -> Sequence[str]:
        """Return the patterns of all teams."""
        return [f"{self.referee.root}.teams.*.jobs.*", f"{self.referee.root}.announcements.>"]


class DashboardProducer(ProducerUser):
    """The one that works on all jobs of all teams."""

    label = "producer"
    fixed_count = 1

    def make_events(self, first: int, count: int) -> Events:
        """Return one event for each of the next jobs, and every 500th to everybody."""
        return [self._make_event(number) for number in range(first, first + count)]

    def _make_event(self, number: int) -> dict[str, object]:
        if number % 500 == 0:
            return {"topic": f"{self.referee.root}.announcements.all", "type": "message", "data": {"number": number}}
        job = number % self.options.topics
        topic = f"{self.referee.root}.teams.{job % TEAMS}.jobs.{job}"
        data = {"done": number, "message": "x" * max(0, self.options.payload - 30)}
        return {"topic": topic, "type": "progress", "data": data}
