"""Tailrace's Python client: streams that resume by themselves, async and sync."""

from tailrace_protocol.control import Gap, Reset
from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState, JobStatus

from tailrace_client.client import Client, Job, Stream
from tailrace_client.items import Item
from tailrace_client.link import Link, LinkState
from tailrace_client.pages import Snapshot
from tailrace_client.sync_client import SyncClient, SyncJob, SyncStream

__all__ = [
    "Client",
    "Event",
    "Gap",
    "Item",
    "Job",
    "JobState",
    "JobStatus",
    "Link",
    "LinkState",
    "Reset",
    "Snapshot",
    "Stream",
    "SyncClient",
    "SyncJob",
    "SyncStream",
]
