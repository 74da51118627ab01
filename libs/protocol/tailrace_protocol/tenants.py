"""Tenants: the isolation unit, a customer."""

import re

from tailrace_protocol.errors import InvalidTenant

DEFAULT_TENANT = "default"
"""What the command line uses where no tenant is named."""

_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_tenant(tenant: str) -> str:
    """Return `tenant` as it is.

    Raises:
        InvalidTenant: it breaks the rule `[a-z0-9][a-z0-9_-]{0,62}`.
    """
    if _TENANT.fullmatch(tenant) is None:
        raise InvalidTenant(
            f"{tenant[:80]!r} is not a tenant: 1 to 63 of a-z, 0-9, '_' and '-', with a letter or digit first"
        )
    return tenant
