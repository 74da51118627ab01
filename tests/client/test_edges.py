"""Where the edges are."""

from collections.abc import Sequence

import pytest
from tailrace_client.edges import Edges
from tailrace_protocol.errors import InvalidInput, InvalidTenant


@pytest.mark.parametrize(
    "urls",
    ["localhost:8080", "ftp://edge", "http://", "", [], "http://user:pw@edge", "http://edge?x=1", "http://edge#x"],
)
def test_wrong_urls_are_refused(urls: str | Sequence[str]) -> None:
    """What cannot be the URL of an edge is refused at once, not tried for ever."""
    with pytest.raises(InvalidInput):
        Edges(urls, "acme", None)


def test_wrong_tenants_are_refused() -> None:
    """The tenant is part of every path."""
    with pytest.raises(InvalidTenant):
        Edges("http://edge", "../other", None)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nx: y", "tökén"])
def test_wrong_tokens_are_refused(token: str) -> None:
    """What cannot stand in a header is refused, and not repeated in the message."""
    with pytest.raises(InvalidInput) as caught:
        Edges("http://edge", "acme", token)

    assert not token or token not in str(caught.value)


def test_segments_are_percent_encoded() -> None:
    """What quote_token has quoted is quoted once more, since the path is unquoted once."""
    edges = Edges("http://edge/", "acme", None)

    assert edges.format_url(0, ("topics", "a.Jane%20Doe/x")) == "http://edge/v1/acme/topics/a.Jane%2520Doe%2Fx"
