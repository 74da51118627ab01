"""Adapters: `celery`, `django`, `fastapi`, `logging`, `tqdm`. Only the adapter imports what it is named for."""

from tailrace_producer.contrib.default import get_default_producer, require_default_producer, set_default_producer

__all__ = ["get_default_producer", "require_default_producer", "set_default_producer"]
