"""The producer that adapters use where the caller hands them none: one for the process."""

import os

from tailrace_producer.environment import URL_VARIABLE
from tailrace_producer.sync import SyncProducer

_defaults: dict[str, SyncProducer] = {}
_KEY = "default"


def set_default_producer(producer: SyncProducer | None) -> None:
    """Make `producer` the one that adapters use in this process, and in those forked from it.

    Call it where the process is set up. None: go back to what the environment says.
    """
    if producer is None:
        _defaults.pop(_KEY, None)
    else:
        _defaults[_KEY] = producer


def get_default_producer() -> SyncProducer | None:
    """Return the producer that was set, else one for the broker at `TAILRACE_NATS_URL`, else None.

    The tenant of the latter is `TAILRACE_TENANT`, or `default`. It connects when it is first used.

    Raises:
        SetupError: `TAILRACE_NATS_URL` is no URL of a broker.
        InvalidTenant: `TAILRACE_TENANT` breaks the rules.
    """
    producer = _defaults.get(_KEY)
    if producer is None and os.environ.get(URL_VARIABLE):
        producer = _keep(SyncProducer())
    return producer


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
