"""Publish events and job progress to Tailrace, from an event loop (`Producer`) or any thread (`SyncProducer`)."""

from tailrace_producer.core import NewEvent
from tailrace_producer.current import current_job
from tailrace_producer.errors import JobCancelled, JobEnded, TextEnded, WrongEventLoop
from tailrace_producer.job import Job, SyncJob
from tailrace_producer.producer import Producer
from tailrace_producer.settings import Settings
from tailrace_producer.steps import Step, SyncStep
from tailrace_producer.sync import SyncProducer
from tailrace_producer.text import SyncTextStream, TextStream

__all__ = [
    "Job",
    "JobCancelled",
    "JobEnded",
    "NewEvent",
    "Producer",
    "Settings",
    "Step",
    "SyncJob",
    "SyncProducer",
    "SyncStep",
    "SyncTextStream",
    "TextEnded",
    "TextStream",
    "WrongEventLoop",
    "current_job",
]
