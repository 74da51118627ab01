"""The public names, pinned."""

import inspect

import pytest
import tailrace_client
from tailrace_client import Client, Job, Stream, SyncClient, SyncJob, SyncStream


def test_public_names() -> None:
    """A name that comes or goes is a decision."""
    assert tailrace_client.__all__ == [
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


@pytest.mark.parametrize(("one", "twin"), [(Client, SyncClient), (Stream, SyncStream), (Job, SyncJob)])
def test_twins_take_the_same(one: type, twin: type) -> None:
    """What the async client has, the sync one has, with the same parameters."""

    def describe(kind: type) -> dict[str, list[str]]:
        members = inspect.getmembers(kind, inspect.isfunction)
        public = {name.replace("aclose", "close"): value for name, value in members if not name.startswith("_")}
        return {name: list(inspect.signature(value).parameters) for name, value in public.items()}

    assert describe(one) == describe(twin)
