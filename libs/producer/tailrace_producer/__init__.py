"""Publish events and job progress to Tailrace, from an event loop (`Producer`) or any thread (`SyncProducer`)."""

from tailrace_producer.core import NewEvent
from tailrace_producer.job import Job, JobEnded, SyncJob
from tailrace_producer.producer import Producer
from tailrace_producer.settings import Settings
from tailrace_producer.sync import SyncProducer

__all__ = ["Job", "JobEnded", "NewEvent", "Producer", "Settings", "SyncJob", "SyncProducer"]
