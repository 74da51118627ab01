"""The console's view of the edges, where they want tokens and the page comes by a proxy."""

from pathlib import Path

import jwt
import pytest
from browser.console import open_console
from playwright.async_api import expect
from support.broker import Broker
from support.edge import EdgeProcess

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SECRET = "a secret of the tests, which is long enough"


async def test_edges_are_shown_to_who_has_a_token(broker: Broker, tmp_path: Path) -> None:
    token = jwt.encode({"tenant": "acme", "subscribe": ["a"], "exp": 4_000_000_000}, SECRET, "HS256")
    headers = {"x-forwarded-for": "192.0.2.1"}
    async with (
        EdgeProcess(broker.url, tmp_path / "edge", auth="jwt", jwt_secret=SECRET) as edge,
        open_console(edge, extra_http_headers=headers) as console,
    ):
        await console.open("edges")
        await expect(console.page.get_by_role("region", name="Edges")).to_contain_text("the edge answers 401")
        await console.page.keyboard.press("k")
        dialog = console.page.get_by_role("dialog", name="Tenant and token")
        await dialog.get_by_label("Tenant").fill("acme")
        await dialog.get_by_label("Token").fill(token)
        await dialog.get_by_role("button", name="Use").click()
        await expect(console.page.get_by_role("article", name="Edge edge")).to_contain_text("Ready")
