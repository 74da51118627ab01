"""`settings.TAILRACE`, and the producer that it describes."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from tailrace_protocol.errors import TailraceError

from tailrace_producer.contrib.default import get_default_producer, set_default_maker
from tailrace_producer.settings import Settings
from tailrace_producer.sync import SyncProducer

NAME = "TAILRACE"
_INTEGERS = ("outbox_events", "outbox_bytes", "window", "window_bytes", "text_batch")
_SECONDS = ("ack_timeout", "close_timeout", "connect_timeout", "text_interval")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_INTEGERS, (int,)),
    **dict.fromkeys(_SECONDS, (int, float)),
    "credentials": (str, Path),
    "outbox_path": (str, Path),
    "describe_error": (cast("type", Callable),),
    "tls": (ssl.SSLContext,),
    "lease": (int, float, type(None)),
}
"""What a field of `Settings` may hold; the others are text."""

_FIELDS = {field.name.upper(): field.name for field in fields(Settings)}


def get_producer() -> SyncProducer:
    """Return the process's producer, as `settings.TAILRACE` describes it. It connects when it is first used.

    It is the default producer of the process too, so that tasks, bars and whatever else reports use the same one.

    Raises:
        ImproperlyConfigured: the settings are missing or cannot work; the message says what is wrong.
    """
    offer_producer()
    producer = get_default_producer()
    if producer is None:
        raise _explain(*next(find_mistakes()))
    return producer


def offer_producer() -> None:
    """Have whatever reports in this process use the producer of the settings: Celery's tasks, bars, jobs."""
    set_default_maker(_make_producer)


def find_mistakes() -> Iterator[tuple[str, str]]:
    """Yield what is wrong with `settings.TAILRACE`, and what to do about it."""
    given = getattr(settings, NAME, None)
    if not isinstance(given, Mapping):
        said = "is missing" if given is None else f"is a {type(given).__name__}, and has to be a dict"
        yield f"the setting {NAME} {said}", f'set {NAME} = {{"URL": "nats://...", "TENANT": "..."}}'
        return
    mistakes = [mistake for name, value in given.items() if (mistake := _check_value(name, value))]
    if not given.get("URL"):
        mistakes.append((f'{NAME} has no "URL"', 'the broker\'s address, such as "nats://127.0.0.1:4222"'))
    yield from mistakes
    if mistakes:
        return
    try:
        _build(given)
    except TailraceError as error:
        yield f"{NAME} cannot work: {error}", "see the page Frameworks of Tailrace's documentation"


def _make_producer() -> SyncProducer | None:
    if getattr(settings, NAME, None) is None:
        return None
    for mistake in find_mistakes():
        raise _explain(*mistake)
    return _build(getattr(settings, NAME))


def _explain(message: str, hint: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{message}. Hint: {hint}")


def _build(given: Mapping[str, Any]) -> SyncProducer:
    options = {_FIELDS[name]: value for name, value in given.items() if name in _FIELDS}
    if "credentials" in options:
        options["credentials"] = Path(options["credentials"])
    return SyncProducer(given["URL"], tenant=given.get("TENANT"), settings=Settings(**options))


def _check_value(name: str, value: Any) -> tuple[str, str] | None:
    if name not in ("URL", "TENANT", *_FIELDS):
        return f"{NAME} has the unknown key {name!r}", f"known are URL, TENANT, {', '.join(_FIELDS)}"
    kinds = _KINDS.get(name.lower(), (str,))
    if isinstance(value, kinds) and not isinstance(value, bool):
        return None
    # Not the value: a URL may hold a password.
    wanted = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
    return f"{NAME}[{name!r}] is a {type(value).__name__}", f"it has to be {wanted}"
