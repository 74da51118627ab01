"""Edges: where they are, and what every request to them carries."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

import httpx
from tailrace_protocol.errors import InvalidInput
from tailrace_protocol.tenants import check_tenant

from tailrace_client.tokens import Credential, Token

Fields = Sequence[tuple[str, str]]
"""Of a query."""


class Edges:
    """The edges of one tenant's client.

    Attributes:
        credential: the token that requests carry.
        first: the number of the URL to begin with: the one that answered last.
    """

    def __init__(self, urls: str | Sequence[str], tenant: str, token: Token | None) -> None:
        """Check and keep them.

        Raises:
            InvalidInput: no URL is given, one is not an http or https URL, or the token cannot be one.
            InvalidTenant: `tenant` cannot be one.
        """
        self._urls = [_check_url(url) for url in ([urls] if isinstance(urls, str) else urls)]
        if not self._urls:
            raise InvalidInput("no URL of an edge was given")
        self._tenant = check_tenant(tenant)
        self.credential = Credential(token)
        self.first = 0

    def __len__(self) -> int:
        return len(self._urls)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries. The token stands here alone, for URLs are logged."""
        headers = {"user-agent": "tailrace-client"}
        if self.credential.token is not None:
            headers["authorization"] = f"Bearer {self.credential.token}"
        return headers

    @property
    def tenant(self) -> str:
        """Whose edges they are."""
        return self._tenant

    def format_url(self, number: int, path: Sequence[str], fields: Fields = ()) -> str:
        """Return the URL of a path below the tenant.

        Args:
            number: of the edge; counts on past the last one to the first.
            path: segments, not encoded.
            fields: of the query, not encoded.
        """
        segments = "/".join(quote(segment, safe="") for segment in path)
        query = f"?{urlencode(fields)}" if fields else ""
        return f"{self._urls[number % len(self._urls)]}/v1/{self._tenant}/{segments}{query}"


def _check_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises where it is no number up to 65535
        host = httpx.URL(url).host
        valid = parts.scheme in ("http", "https") and port != 0 and _can_be_looked_up(host)
    except (ValueError, httpx.InvalidURL):
        valid = False
    if not valid:
        raise InvalidInput(f"{url!r} is not the URL of an edge, like http://localhost:8080")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidInput("the URL of an edge has no user, query or fragment; a token is passed as token=")
    return url.rstrip("/")


def _can_be_looked_up(host: str) -> bool:
    """Return whether a host has a form that Python asks the system for: no label is empty, or too long (RFC 1035)."""
    return bool(host) and (":" in host or all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")))
