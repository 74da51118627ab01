"""The history checker: what clients received, compared with the log that they watched.

    record = client.record                        # `Client`: Tailrace's own session, with all that came written down
    log = await read_log(nats_url, "acme")        # straight from JetStream, past every edge
    verdict = judge([record], log, until=last)
    print(verdict.describe()); verdict.clean

A client has to have got every event that matches its patterns, from where its stream began to where it ended, in
order, none of them twice. What the log no longer held has to have been announced as a gap.
"""

from history.check import Fault, Kind, check
from history.client import Client
from history.jetstream import read_log
from history.log import Log, Stored
from history.record import Announced, Closed, Ended, Entry, Opened, Reached, Received, Record, Restarted
from history.verdict import Verdict, judge

__all__ = [
    "Announced",
    "Client",
    "Closed",
    "Ended",
    "Entry",
    "Fault",
    "Kind",
    "Log",
    "Opened",
    "Reached",
    "Received",
    "Record",
    "Restarted",
    "Stored",
    "Verdict",
    "check",
    "judge",
    "read_log",
]
