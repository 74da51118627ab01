"""`/v1/stats`: whom an edge that wants tokens tells what it is doing, and what that says of tenants."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.broker import Broker
from support.calls import call
from support.edge import EdgeProcess
from support.guarded_edge import SECRET, sign
from support.stream import open_stream
from tailrace_edge.auth.errors import Unauthenticated
from tailrace_edge.auth.guard import make_guard
from tailrace_edge.settings import Settings

GUARDED: dict[str, Any] = {"auth": "jwt", "jwt_secret": SECRET, "jwt_audience": "*", "auth_cookie": "session"}
FORWARDED = {"x-forwarded-for": "127.0.0.1"}


@pytest.mark.parametrize("cluster", ["", "?cluster=true"])
async def test_stats_want_a_token_of_any_tenant(broker: Broker, tmp_path: Path, cluster: str) -> None:
    async with EdgeProcess(broker.url, tmp_path / "edge", **GUARDED) as edge:

        async def ask(**headers: str) -> int:
            return (await call(edge, f"/v1/stats{cluster}", headers=FORWARDED | headers)).status_code

        refused = await call(edge, f"/v1/stats{cluster}", headers=FORWARDED)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert await ask(authorization="Bearer nonsense") == 401
        assert await ask(authorization=f"Bearer {sign(exp=1)}") == 401
        for tenant in ("acme", "beta"):
            assert await ask(authorization=f"Bearer {sign(tenant=tenant)}") == 200
        assert await ask(cookie=f"session={sign()}") == 200
        assert await ask(cookie=f"session={sign()}", origin="https://evil.example") == 403
        assert (await call(edge, f"/v1/stats{cluster}")).status_code == 200, "from the edge's own machine"
        assert edge.find_errors() == []


@pytest.mark.parametrize(
    ("address", "header", "let_in"),
    [
        ("127.0.0.1", "", True),
        ("127.8.9.10", "", True),
        ("::1", "", True),
        ("127.0.0.1", "x-forwarded-for", False),
        ("127.0.0.1", "forwarded", False),
        ("::1", "via", False),
        ("10.0.0.1", "", False),
        ("2001:db8::1", "", False),
        ("client", "", False),
        (None, "", False),
    ],
)
async def test_only_the_edges_own_machine_needs_no_token(address: str | None, header: str, let_in: bool) -> None:
    guard = make_guard(Settings(auth="jwt", jwt_secret=SecretStr(SECRET)))
    headers = [(header.encode(), b"127.0.0.1")] if header else []
    scope = {"type": "http", "method": "GET", "headers": headers, "client": address and (address, 1)}
    if let_in:
        await guard.admit_operator(scope)
    else:
        with pytest.raises(Unauthenticated):
            await guard.admit_operator(scope)
    await make_guard(Settings()).admit_operator(scope)


async def test_stats_and_metrics_name_nobody(broker: Broker, tmp_path: Path) -> None:
    """Anybody with a token may read them, of whatever tenant."""
    async with (
        EdgeProcess(broker.url, tmp_path / "edge") as edge,
        open_stream(edge.url, "orders.secret", tenant="globex") as stream,
    ):
        await stream.next_control("open")
        event = {"topic": "orders.secret", "data": "told to nobody"}
        await call(edge, "/v1/globex/events", method="POST", json=event)
        await stream.next_event()
        for path in ("/v1/stats", "/v1/stats?cluster=true", "/metrics"):
            told = (await call(edge, path)).text
            assert "edge" in told
            for secret in ("globex", "orders", "secret", "told to nobody"):
                assert secret not in told, path
