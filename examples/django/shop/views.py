"""Views that start jobs of the user who is logged in: one sync, one async."""

import asyncio
import time
from threading import Thread
from uuid import uuid4

from django.http import HttpRequest, JsonResponse
from tailrace_producer.contrib.django import JobTracker


def import_orders(request: HttpRequest) -> JsonResponse:
    """Begin an import, and answer at once."""
    tracker = JobTracker(uuid4(), user=request.user)
    tracker.send_start("Import orders")
    Thread(target=run_import, args=[tracker]).start()
    return JsonResponse({"job": tracker.job_id, "topic": tracker.topic}, status=202)


def run_import(tracker: JobTracker) -> None:
    """Import the orders."""
    try:
        for percent in range(100):
            tracker.send_progress(percent + 1, f"order {percent}")
            if percent == 50:
                tracker.send_warning("an order has no address", {"order": 50})
            time.sleep(0.02)
        tracker.send_complete({"orders": 100})
    except Exception as error:
        tracker.send_error(error)
        raise


async def export_orders(request: HttpRequest) -> JsonResponse:
    """Export the orders while the client waits, as an async view may."""
    user = await request.auser()
    with JobTracker(uuid4(), user=user, title="Export orders", total=20) as tracker:
        for number in range(20):
            tracker.send_progress(number + 1)
            await asyncio.sleep(0.02)
        tracker.send_complete({"url": "/exports/7.csv"})
    return JsonResponse({"job": tracker.job_id, "topic": tracker.topic})
