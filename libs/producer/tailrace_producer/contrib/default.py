"""The producer that adapters use where the caller hands them none: one for the process."""

import os
from collections.abc import Callable

from tailrace_producer.environment import URL_VARIABLE
from tailrace_producer.sync import SyncProducer

_defaults: dict[str, SyncProducer] = {}
_makers: dict[str, Callable[[], SyncProducer | None]] = {}
_KEY = "default"


def set_default_producer(producer: SyncProducer | None) -> None:
    """Make `producer` the one that adapters use in this process, and in those forked from it.

    Call it where the process is set up. None: go back to what the framework's settings say, or the environment.
    """
    if producer is None:
        _defaults.pop(_KEY, None)
    else:
        _defaults[_KEY] = producer


def set_default_maker(make: Callable[[], SyncProducer | None]) -> None:
    """Have `make` asked for the process's producer, once one is needed and none was set.

    For adapters to frameworks that have settings, which stand before the environment. None from it: they have none.
    """
    _makers[_KEY] = make


def get_default_producer() -> SyncProducer | None:
    """Return the producer that was set, else that of the framework's settings, else one for `TAILRACE_NATS_URL`.

    None where nobody says where the broker is. The tenant of the last one is `TAILRACE_TENANT`, or `default`. It
    connects when it is first used.

    Raises:
        SetupError: `TAILRACE_NATS_URL` is no URL of a broker.
        InvalidTenant: `TAILRACE_TENANT` breaks the rules.
    """
    found = _defaults.get(_KEY)
    if found is None:
        made = _makers[_KEY]() if _KEY in _makers else None
        if made is None and os.environ.get(URL_VARIABLE):
            made = SyncProducer()
        found = None if made is None else _keep(made)
    return found


def require_default_producer() -> SyncProducer:
    """The same, and where nothing is set, a producer for the broker on this machine, as `SyncProducer()` is.

    Raises:
        SetupError: as `get_default_producer`.
        InvalidTenant: as `get_default_producer`.
    """
    found = get_default_producer()
    if found is None:
        found = _keep(SyncProducer())
    return found


def _keep(producer: SyncProducer) -> SyncProducer:
    # Of two threads that come here at once the first one wins; the other's producer was never used.
    return _defaults.setdefault(_KEY, producer)
