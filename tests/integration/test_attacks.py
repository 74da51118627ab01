"""Attacks on an edge that asks for tokens: each of them has to fail, in the way that is named here."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import httpx
from support.broker import PATIENCE
from support.calls import call
from support.edge import EdgeProcess
from support.guarded_edge import DAY, PRIVATE, PUBLIC, check_log, make_claims, make_headers, sign


def forge(header: dict[str, Any], secret: bytes = b"") -> str:
    """Make a token as an attacker does, whom no library stops."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, make_claims())]
    signature = hmac.digest(secret, b".".join(parts), hashlib.sha256) if secret else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def change_claims(token: str) -> str:
    head, _, signature = token.split(".")
    claims = base64.urlsafe_b64encode(json.dumps(make_claims(subscribe=[">"])).encode()).rstrip(b"=").decode()
    return f"{head}.{claims}.{signature}"


class Attack(NamedTuple):
    """One request that has to be refused.

    Attributes:
        name: of the attack.
        token: it comes with; None without one.
        status: of the answer.
        path: of the request.
        method: of the request.
        options: more of it.
    """

    name: str
    token: str | None
    status: int
    path: str = "/v1/acme/events?topic=users.alice.x"
    method: str = "GET"
    options: Mapping[str, Any] = MappingProxyType({})


def publish(name: str, status: int, topic: str, tenant: str = "acme") -> Attack:
    return Attack(name, sign(), status, f"/v1/{tenant}/events", "POST", {"json": {"topic": topic}})


def watch(name: str, status: int, topic: str, tenant: str = "acme") -> Attack:
    return Attack(name, sign(), status, f"/v1/{tenant}/events?topic={topic}")


ATTACKS = [
    # Who it is
    Attack("no token", None, 401),
    Attack("empty token", None, 401, options={"headers": {"authorization": "Bearer"}}),
    Attack("no JWT", "a.b.c", 401),
    Attack("another scheme", None, 401, options={"headers": {"authorization": "Basic YTpi"}}),
    Attack("two headers", None, 401, options={"headers": [("authorization", f"Bearer {sign()}")] * 2}),
    Attack("alg none", forge({"alg": "none", "typ": "JWT"}), 401),
    Attack("alg None", forge({"alg": "None", "typ": "JWT"}), 401),
    Attack("no signature", sign().rpartition(".")[0] + ".", 401),
    Attack("public key as a secret", forge({"alg": "HS256", "typ": "JWT"}, PUBLIC), 401),
    Attack("another secret", sign("x" * 64), 401),
    Attack("another RSA key's kid", sign(PRIVATE, "RS256", {"kid": "unknown"}, aud="other"), 401),
    Attack("changed claims", change_claims(sign()), 401),
    Attack("key in the header", forge({"alg": "HS256", "jwk": {"kty": "oct", "k": "eA"}}, b"x"), 401),
    Attack("key by URL in the header", forge({"alg": "HS256", "jku": "http://127.0.0.1:1/k"}, b"x"), 401),
    Attack("critical extension", sign(header={"crit": ["x"], "x": 1}), 401),
    Attack("expired", sign(exp=int(time.time()) - 60), 401),
    Attack("never expires", sign(exp=None), 401),
    Attack("expires as text", sign(exp=None, expires="2999"), 401),
    Attack("not yet valid", sign(nbf=int(time.time()) + DAY), 401),
    Attack("wrong issuer", sign(iss="https://evil.example"), 401),
    Attack("no issuer", sign(iss=None), 401),
    Attack("wrong audience", sign(aud="another"), 401),
    Attack("no audience", sign(aud=None), 401),
    Attack("100 KB of token", sign(padding="x" * 20_000), 401),
    Attack("tenant of the wrong kind", sign(tenant=["acme", "beta"]), 401),
    Attack("tenant that is none", sign(tenant="*"), 401),
    Attack("rights of the wrong kind", sign(subscribe="users.alice.>"), 401),
    Attack("rights that are no patterns", sign(subscribe=["users..>"]), 401),
    # What they may see
    watch("another user", 403, "users.bob.x"),
    watch("another tenant", 403, "users.alice.x", "beta"),
    watch("wildcard wider than granted", 403, ">"),
    watch("one token wider", 403, "users.*.x"),
    watch("all below what is granted for one token", 403, "news.>"),
    watch("one of two", 403, "users.alice.x&topic=users.bob.x"),
    watch("prefix of a token", 403, "users.alicex.y"),
    watch("what > leaves out", 403, "users.alice"),
    watch("encoded dot", 403, "users.bob%2Ex"),
    watch("encoded wildcard", 403, "users.%2A.x"),
    watch("doubly encoded dot", 403, "users%252Ebob"),
    watch("doubly encoded wildcard", 403, "users.%252A.x"),
    watch("JetStream's subjects", 403, "$JS.API.STREAM.INFO.EVENTS"),
    watch("inboxes", 403, "_INBOX.>"),
    watch("control characters", 400, "users.alice.%00"),
    watch("line ends", 400, "users.alice.x%0D%0ASUB%20%3E%201"),
    watch("white space", 400, "users.alice.x%20>"),
    watch("overlong encoding", 400, "users.alice.%C0%AE"),
    watch("tenant with a wildcard", 400, "users.alice.x", "%2A"),
    watch("tenant with a dot", 400, "users.alice.x", "acme.users"),
    watch("tenant climbing up", 404, "users.alice.x", "acme%2F..%2Fbeta"),
    Attack("CRLF in the id", sign(), 400, "/v1/acme/events?topic=users.alice.x&last_event_id=1%0D%0Ax:%20y"),
    Attack("history of others", sign(), 403, "/v1/acme/history?topic=users.bob.x"),
    Attack("topics of others", sign(), 403, "/v1/acme/topics?match=>"),
    Attack("topic of others", sign(), 403, "/v1/acme/topics/users.bob.x"),
    Attack("topic of others, encoded", sign(), 403, "/v1/acme/topics/users%2Ebob%2Ex"),
    Attack("jobs of all", sign(), 403, "/v1/acme/jobs"),
    Attack("jobs of others", sign(), 403, "/v1/acme/jobs?user=bob"),
    Attack("job of others", sign(), 403, "/v1/acme/jobs/7?user=bob"),
    Attack("user with a wildcard", sign(), 403, "/v1/acme/jobs?user=*"),
    Attack("user that climbs out", sign(), 403, "/v1/acme/jobs?user=alice.x%3E"),
    # What they may change
    publish("publish to another user", 403, "users.bob.x"),
    publish("publish what may be read", 403, "news.today"),
    publish("publish to another tenant", 403, "users.alice.x", "beta"),
    publish("publish to JetStream", 403, "$JS.API.STREAM.DELETE.EVENTS"),
    publish("publish by wildcard", 400, "users.alice.*"),
    publish("publish with line ends", 400, "users.alice.x\r\nPUB events.beta.x 1\r\n1"),
    Attack(
        "publish one of two",
        sign(),
        403,
        "/v1/acme/events",
        "POST",
        {"json": [{"topic": "users.alice.x"}, {"topic": "users.bob.x"}]},
    ),
    Attack(
        "publish without the right",
        sign(publish=None),
        403,
        "/v1/acme/events",
        "POST",
        {"json": {"topic": "users.alice.x"}},
    ),
    Attack("delete without the right", sign(), 403, "/v1/acme/topics/users.alice.x", "DELETE"),
    Attack("delete of others", sign(), 403, "/v1/acme/topics/users.bob.drafts.1", "DELETE"),
    Attack("delete of a job without the right", sign(), 403, "/v1/acme/jobs/7?user=alice", "DELETE"),
    Attack("cancel without the right", sign(cancel=None), 403, "/v1/acme/jobs/7/cancel?user=alice", "POST"),
    Attack(
        "cancel with the right to publish", sign(cancel=["news.*"]), 403, "/v1/acme/jobs/7/cancel?user=alice", "POST"
    ),
    Attack("cancel of others", sign(), 403, "/v1/acme/jobs/7/cancel?user=bob", "POST"),
    Attack("cancel of whomever's", sign(), 403, "/v1/acme/jobs/7/cancel", "POST"),
    Attack("cancel in another tenant", sign(), 403, "/v1/globex/jobs/7/cancel?user=alice", "POST"),
    Attack("deep JSON", sign(), 400, "/v1/acme/events", "POST", {"content": b"[" * 100_000}),
    # Tickets
    Attack("ticket for more than the token", sign(), 403, "/v1/acme/tickets", "POST", {"json": {"topics": [">"]}}),
    Attack("ticket without a token", None, 401, "/v1/acme/tickets", "POST", {"json": {"topics": ["users.alice.x"]}}),
    Attack("token as a ticket", None, 401, f"/v1/acme/events?topic=users.alice.x&ticket={sign()}"),
    # Cookies
    Attack(
        "cookie from another page",
        None,
        403,
        options={"headers": {"cookie": f"session={sign()}", "origin": "https://evil.example"}},
    ),
    Attack("cookie from nowhere", None, 403, options={"headers": {"cookie": f"session={sign()}", "origin": "null"}}),
    Attack(
        "publish by a form of another page",
        None,
        403,
        "/v1/acme/events",
        "POST",
        {"json": {"topic": "users.alice.x"}, "headers": {"cookie": f"session={sign()}"}},
    ),
    Attack("another cookie", None, 401, options={"headers": {"cookie": f"other={sign()}"}}),
]


async def test_every_attack_fails(guarded: EdgeProcess) -> None:
    wrong = []
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        for attack in ATTACKS:
            options = {name: value for name, value in attack.options.items() if name != "headers"}
            headers = make_headers(attack.token, attack.options)
            async with client.stream(
                attack.method, f"{guarded.url}{attack.path}", headers=headers, **options
            ) as answer:
                kind = answer.headers.get("content-type")
                if (answer.status_code, kind) != (attack.status, "application/problem+json"):
                    wrong.append(f"{attack.name}: {answer.status_code} {kind}, not {attack.status}")
                elif (attack.status == 401) != ("www-authenticate" in answer.headers):
                    wrong.append(f"{attack.name}: {answer.headers}")
    assert wrong == []
    everything = sign(subscribe=[">"])
    for tenant in ("acme", "beta"):
        token = sign(subscribe=[">"], tenant=tenant)
        stored = await call(guarded, f"/v1/{tenant}/history?topic=>", headers=make_headers(token, {}))
        assert stored.json()["events"] == [], "nothing of it was stored"
    assert guarded.find_errors() == []
    check_log(guarded, [everything, *(attack.token for attack in ATTACKS if attack.token)])


async def test_large_bodies_are_not_taken_in(guarded: EdgeProcess) -> None:
    """100 MB, of which the edge reads one."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * (1 << 20)

    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        headers = make_headers(sign(), {})
        try:
            answer = await client.post(f"{guarded.url}/v1/acme/events", content=chunks(), headers=headers)
            assert answer.status_code == 413
        except (httpx.WriteError, httpx.ReadError):
            pass  # the edge has closed while more was coming
    assert guarded.running
    assert guarded.find_errors() == []
