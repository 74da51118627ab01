"""Principals: who asks, as a token or a ticket says it."""

from collections.abc import Mapping
from typing import NamedTuple

from tailrace_edge.auth.rights import Rights

ANONYMOUS = "anonymous"
"""The name of those whose token has no `sub`."""


class Principal(NamedTuple):
    """Somebody who was let in.

    Attributes:
        name: the token's `sub`; printable, at most 255 characters.
        tenants: what they may do in each tenant that is open to them.
        expires: when this ends, in Unix seconds; the leeway for clocks that differ is included. None: never.
    """

    name: str
    tenants: Mapping[str, Rights]
    expires: float | None
