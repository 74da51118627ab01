"""Broker and tenant where the caller names none: what the environment says, as the `tailrace` command reads it."""

import os

from tailrace_protocol.tenants import DEFAULT_TENANT

DEFAULT_URL = "nats://127.0.0.1:4222"

URL_VARIABLE = "TAILRACE_NATS_URL"
TENANT_VARIABLE = "TAILRACE_TENANT"


def find_url(url: str | None) -> str:
    """Return `url`; without one `TAILRACE_NATS_URL`, and without that the broker on this machine."""
    return url if url is not None else os.environ.get(URL_VARIABLE) or DEFAULT_URL


def find_tenant(tenant: str | None) -> str:
    """Return `tenant`; without one `TAILRACE_TENANT`, and without that `default`."""
    return tenant if tenant is not None else os.environ.get(TENANT_VARIABLE) or DEFAULT_TENANT
