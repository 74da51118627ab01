"""Tailrace's Python client: streams that resume by themselves, async and sync."""

from tailrace_protocol.control import Gap, Reset
from tailrace_protocol.events import Event
from tailrace_protocol.jobs import JobState, JobStatus
from tailrace_protocol.texts import TextStatus

from tailrace_client.ahead import ReadAhead
from tailrace_client.client import Client
from tailrace_client.cursors import CursorFile, CursorStore, CursorUnreadable
from tailrace_client.errors import JobEnded, NoWorker, Unauthorized
from tailrace_client.items import Item
from tailrace_client.job import Job
from tailrace_client.link import Link, LinkState
from tailrace_client.pages import Snapshot
from tailrace_client.stream import Stream
from tailrace_client.sync_client import SyncClient
from tailrace_client.sync_job import SyncJob
from tailrace_client.sync_stream import SyncStream
from tailrace_client.texts import Text
from tailrace_client.tokens import TokenReason

__all__ = [
    "Client",
    "CursorFile",
    "CursorStore",
    "CursorUnreadable",
    "Event",
    "Gap",
    "Item",
    "Job",
    "JobEnded",
    "JobState",
    "JobStatus",
    "Link",
    "LinkState",
    "NoWorker",
    "ReadAhead",
    "Reset",
    "Snapshot",
    "Stream",
    "SyncClient",
    "SyncJob",
    "SyncStream",
    "Text",
    "TextStatus",
    "TokenReason",
    "Unauthorized",
]
