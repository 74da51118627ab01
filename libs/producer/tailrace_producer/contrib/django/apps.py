"""The application for `INSTALLED_APPS`. It has no models; it checks the settings, and has all who report use them."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register

from tailrace_producer.contrib.django.configuration import find_mistakes, offer_producer


class TailraceConfig(AppConfig):
    """Checks the settings when the project starts, and with `manage.py check`."""

    name = "tailrace_producer.contrib.django"
    label = "tailrace"
    verbose_name = "Tailrace"

    def ready(self) -> None:
        """Add the check, and offer the producer of the settings. Called by Django."""
        register(check_settings)
        offer_producer()


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[CheckMessage]:
    """Return what is wrong with `settings.TAILRACE`."""
    return [Error(message, hint=hint, id="tailrace.E001") for message, hint in find_mistakes()]
