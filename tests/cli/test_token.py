import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.command import Place, Run, Start, wait_ready
from edge.auth.samples import AUDIENCE, ISSUER, SECRET, make_private, sign, write_public
from support.broker import pick_ports
from tailrace_edge.auth.keys import make_secret_key
from tailrace_edge.auth.principal import Principal
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.tokens import Verifier, read_token

Mint = Callable[..., str]

PUBLISHING = ["--tenant", "acme", "--publish", "a.>"]


@pytest.fixture
def mint(run: Run) -> Mint:
    """Run `tailrace token` with a secret, and return what it prints."""

    def mint(*arguments: str, **variables: str) -> str:
        done = run("token", *arguments, TAILRACE_JWT_SECRET=SECRET, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.count("\n") == 1
        return done.stdout.strip()

    return mint


def make_verifier(issuer: str = "", audience: str = "") -> Verifier:
    return Verifier([make_secret_key(SECRET)], issuer, audience, leeway=0)


async def test_a_token_grants_what_was_asked_for(mint: Mint) -> None:
    patterns = [
        "--subscribe",
        "users.7.>",
        "--subscribe",
        "news",
        "--publish",
        "a",
        "--delete",
        "jobs.*",
        "--cancel",
        "c.*",
    ]
    principal = await make_verifier().verify(mint("--tenant", "acme", *patterns, "--sub", "7", "--ttl", "90"))

    assert principal == Principal(
        "7", {"acme": Rights(("users.7.>", "news"), ("a",), ("jobs.*",), ("c.*",))}, principal.expires
    )
    assert 0 < (principal.expires or 0) - time.time() <= 90


async def test_a_token_lasts_an_hour_and_is_for_the_default_tenant(mint: Mint) -> None:
    token = mint("--subscribe", ">")
    claims = read_token(token).claims

    assert (await make_verifier().verify(token)).tenants == {"default": Rights((">",))}
    assert claims["exp"] - claims["iat"] == 3600


async def test_issuer_and_audience_are_those_of_the_edges(mint: Mint) -> None:
    verifier = make_verifier(ISSUER, AUDIENCE)
    variables = {"TAILRACE_JWT_ISSUERS": f"{ISSUER},other", "TAILRACE_JWT_AUDIENCE": f"{AUDIENCE},other"}

    assert await verifier.verify(mint(*PUBLISHING, "--issuer", ISSUER, "--audience", AUDIENCE))
    assert await verifier.verify(mint(*PUBLISHING, **variables))
    assert await make_verifier().verify(mint(*PUBLISHING, TAILRACE_JWT_AUDIENCE="*"))


@pytest.mark.parametrize(
    ("arguments", "secret", "status", "said"),
    [
        (PUBLISHING, "", 1, "TAILRACE_JWT_SECRET is not set"),
        (PUBLISHING, "short secret", 1, "has 12 bytes, 32 are the least"),
        (["--publish", "a..b"], SECRET, 1, "empty token"),
        (["--tenant", "No", "--publish", "a"], SECRET, 1, "not a tenant"),
        (["--tenant", "acme"], SECRET, 2, "--subscribe"),
        ([*PUBLISHING, "--ttl", "0"], SECRET, 2, "--ttl"),
    ],
)
def test_what_cannot_be_is_told(run: Run, arguments: list[str], secret: str, status: int, said: str) -> None:
    done = run("token", *arguments, TAILRACE_JWT_SECRET=secret)

    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert not secret or secret not in done.stderr
    assert "Traceback" not in done.stderr


class TestExplain:
    def test_a_good_token(self, run: Run, mint: Mint) -> None:
        token = mint("--tenant", "acme", "--subscribe", "users.7.>", "--sub", "7", "--ttl", "259200")
        done = run("token", "--explain", token, TAILRACE_JWT_SECRET=SECRET)

        assert done.returncode == 0
        for line in ('header       {"alg": "HS256", "typ": "JWT"}', 'sub          "7"', "  subscribe  users.7.>"):
            assert line in done.stdout.splitlines()
        assert "UTC, in 3 d" in done.stdout
        assert "opens        the tenant acme" in done.stdout
        assert done.stdout.splitlines()[-1].startswith("valid ")

    @pytest.mark.parametrize("variables", [{}, {"TAILRACE_JWT_SECRET": SECRET}, {"TAILRACE_JWT_SECRET": "x" * 32}])
    def test_the_signature_is_never_shown(self, run: Run, mint: Mint, variables: dict[str, str]) -> None:
        token = mint(*PUBLISHING)
        done = run("token", "--explain", "-", stdin=f"{token}\n", **variables)

        assert "opens        the tenant acme" in done.stdout
        assert not any(part in done.stdout + done.stderr for part in token.split("."))

    def test_without_a_key_it_says_that_the_signature_is_not_checked(self, run: Run, mint: Mint) -> None:
        done = run("token", "--explain", mint(*PUBLISHING))

        assert done.returncode == 0
        assert done.stdout.splitlines()[-1].startswith("not checked ")

    @pytest.mark.parametrize(
        ("claims", "secret", "reason"),
        [
            ({"exp": 1}, SECRET, "expired"),
            ({"exp": 1}, "", "expired"),
            ({"exp": None}, "", "expired"),
            ({"nbf": 9_999_999_999}, SECRET, "not-yet-valid"),
            ({"aud": "other"}, SECRET, "wrong-audience"),
            ({}, "x" * 64, "bad-signature"),
            ({"tenant": "acme", "publish": "a"}, SECRET, "malformed"),
            ({"tenant": "acme", "publish": "a"}, "", "malformed"),
        ],
    )
    def test_a_token_that_is_not_valid(self, run: Run, claims: dict[str, object], secret: str, reason: str) -> None:
        variables = {"TAILRACE_JWT_SECRET": secret, "TAILRACE_JWT_AUDIENCE": AUDIENCE}
        done = run("token", "--explain", sign(SECRET, "HS256", **claims), **variables)

        assert done.returncode == 1
        assert done.stdout.splitlines()[-1].startswith(f"not valid    {reason}: ")

    def test_public_keys_and_rules_are_those_of_the_edge(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "key.pem"
        path.write_bytes(write_public(make_private("P-256")))
        rules = "tenant = {tid}\nsubscribe [roles=Reader] = users.{oid}.>"
        token = sign(make_private("P-256"), "ES256", tid="contoso", oid="a.b", roles=["Reader"])
        variables = {
            "TAILRACE_JWT_KEY_FILES": str(path),
            "TAILRACE_JWT_AUDIENCE": AUDIENCE,
            "TAILRACE_AUTH_RULES": rules,
        }
        done = run("token", "--explain", token, **variables)

        assert done.returncode == 0
        assert "opens        the tenant contoso" in done.stdout
        assert "  subscribe  users.a%2Eb.>" in done.stdout

    def test_no_key_set_is_asked_for(self, run: Run) -> None:
        variables = {"TAILRACE_JWKS_URLS": "http://127.0.0.1:1/keys", "TAILRACE_JWT_SECRET": SECRET}
        done = run("token", "--explain", sign(make_private("RSA"), "RS256", "one"), **variables)

        assert done.returncode == 0
        assert "TAILRACE_JWKS_URLS are not asked for" in done.stdout

    def test_what_a_token_says_is_escaped(self, run: Run) -> None:
        token = sign(SECRET, "HS256", **{"sub": "\x1b[2J", "a\nvalid": "ü"})
        done = run("token", "--explain", token)

        assert done.stdout.isascii()
        assert "\x1b" not in done.stdout
        assert "\nvalid" not in done.stdout

    @pytest.mark.parametrize("token", ["", "-", "abc", "a.b.c", "x" * 9000])
    def test_what_is_no_token(self, run: Run, token: str) -> None:
        done = run("token", "--explain", token, stdin="no token")

        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("tailrace: ")

    def test_a_token_that_opens_nothing(self, run: Run) -> None:
        done = run("token", "--explain", sign(SECRET, "HS256", sub="ann"))

        assert "opens        no tenant: it has no claim `tenant`" in done.stdout


def test_a_token_opens_what_it_is_for(place: Place, run: Run, start: Start) -> None:
    (port,) = pick_ports(1)
    variables = {"TAILRACE_JWT_SECRET": "a secret of the tests that is long enough"}
    edge = ("edge", "--port", str(port), "--nats", place.nats, "--auth", "jwt")
    start(*edge, **variables)
    wait_ready(port)
    run("publish", "users.7.news", '"hello"', "--tenant", "acme", "--nats", place.nats)
    token = run("token", "--tenant", "acme", "--subscribe", "users.7.>", **variables).stdout.strip()
    follow = ("tail", "users.7.>", "--from", "start", "--tenant", "acme", "--url", f"http://127.0.0.1:{port}")

    tail = start(*follow, TAILRACE_TOKEN=token)
    assert tail.stdout is not None
    assert "hello" in tail.stdout.readline()

    refused = run(*follow)
    assert refused.returncode != 0
    assert "Authorization: Bearer" in " ".join(refused.stderr.split())
