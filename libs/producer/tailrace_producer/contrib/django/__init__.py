"""Django: jobs from views, sync and async, from management commands, and from whatever else runs in a project.

Put `tailrace_producer.contrib.django` into `INSTALLED_APPS`, and into the settings:

    TAILRACE = {"URL": "nats://127.0.0.1:4222", "TENANT": "acme"}

Further keys are the fields of `tailrace_producer.Settings` in upper case. `manage.py check` tells what is wrong.
"""

from tailrace_producer.contrib.django.configuration import get_producer
from tailrace_producer.contrib.django.tracker import JobTracker

__all__ = ["JobTracker", "get_producer"]
