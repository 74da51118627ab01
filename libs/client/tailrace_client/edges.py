"""Edges: where they are, and what every request to them carries."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

from tailrace_protocol.errors import InvalidInput
from tailrace_protocol.tenants import check_tenant

Fields = Sequence[tuple[str, str]]
"""Of a query."""


class Edges:
    """The edges of one tenant's client.

    Attributes:
        headers: what every request carries. The token stands here alone, for URLs are logged.
        first: the number of the URL to begin with: the one that answered last.
    """

    def __init__(self, urls: str | Sequence[str], tenant: str, token: str | None) -> None:
        """Check and keep them.

        Raises:
            InvalidInput: no URL is given, one is not an http or https URL, or the token cannot stand in a header.
            InvalidTenant: `tenant` cannot be one.
        """
        self._urls = [_check_url(url) for url in ([urls] if isinstance(urls, str) else urls)]
        if not self._urls:
            raise InvalidInput("no URL of an edge was given")
        self._tenant = check_tenant(tenant)
        self.headers = {"user-agent": "tailrace-client"}
        if token is not None:
            self.headers["authorization"] = f"Bearer {_check_token(token)}"
        self.first = 0

    def __len__(self) -> int:
        return len(self._urls)

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
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput(f"{url!r} is not the URL of an edge, like http://localhost:8080")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise InvalidInput("the URL of an edge has no user, query or fragment; a token is passed as token=")
    return url.rstrip("/")


def _check_token(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidInput("the token has to be printable ASCII without spaces")
    return token
