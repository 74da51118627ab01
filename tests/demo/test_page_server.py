"""The page: its own files and the edges' streams, nothing else."""

import http.client
import re

import pytest
from support.broker import PATIENCE
from tailrace_demo.page_server import PageServer
from tailrace_protocol.errors import SetupError

EDGE = "http://127.0.0.1:1"


def get(url: str, path: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "media_type"), [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")]
)
def test_what_the_page_needs_is_served(path: str, media_type: str) -> None:
    with PageServer() as page:
        page.edge_url = EDGE
        status, headers, body = get(page.url, path)

    assert status == 200
    assert headers["content-type"].startswith(media_type)
    assert f"connect-src {EDGE};" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert len(body.encode()) == int(headers["content-length"])
    links = re.findall(r"https?://[^\s\"'`)]+", body)
    assert {link for link in links if not link.startswith((EDGE, "http://www.w3.org/2000/svg"))} == set()


def test_the_page_knows_its_edges_and_has_nothing_inline() -> None:
    with PageServer() as page:
        page.edge_url = EDGE
        _, _, body = get(page.url, "/")

    assert f'<meta name="edge" content="{EDGE}">' in body
    assert re.search(r"<style|style=|<script(?! src)| on\w+=", body) is None


@pytest.mark.parametrize("path", ["/", "/page.js"])
def test_before_the_edges_are_up_a_browser_is_told_to_come_again(path: str) -> None:
    with PageServer() as page:
        status, headers, _ = get(page.url, path)
        assert (status, headers["refresh"]) == (503, "1")
        page.edge_url = EDGE
        assert get(page.url, path)[0] == 200


def test_nothing_else_is_served() -> None:
    with PageServer() as page:
        page.edge_url = EDGE
        assert get(page.url, "/../demo.py")[0] == 404


def test_a_port_in_use_is_told() -> None:
    with PageServer() as page, pytest.raises(SetupError, match="--port"):
        PageServer(int(page.url.rpartition(":")[2]))
