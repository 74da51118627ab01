"""`manage.py import_orders`."""

import time
from argparse import ArgumentParser
from uuid import uuid4

from django.core.management import BaseCommand
from tailrace_producer.contrib.django import JobTracker


class Command(BaseCommand):
    """Import orders, for everybody or for one user to watch."""

    help = "Import orders"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command's arguments."""
        parser.add_argument("orders", type=int)
        parser.add_argument("--user")

    def handle(self, *, orders: int, user: str | None, **_: object) -> None:
        """Import the orders."""
        with JobTracker(uuid4(), user=user, title="Import orders", total=orders) as tracker:
            for _order in tracker.job.track(range(orders)):
                time.sleep(0.02)
        self.stdout.write(tracker.topic)
