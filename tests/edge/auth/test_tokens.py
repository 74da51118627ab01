"""Tokens: each attack, and what verified tokens become."""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from edge.auth.samples import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    SECRET,
    Clock,
    Publisher,
    make_claims,
    make_jwk,
    make_private,
    sign,
    write_public,
)
from edge.auth.verifiers import OTHER, RSA, RULES, encode, forge, make_verifier, refuse
from tailrace_edge.auth.errors import Reason, Unauthenticated
from tailrace_edge.auth.jwks import KeySet, KeySource
from tailrace_edge.auth.keys import make_public_key, make_secret_key
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.tokens import Verifier


@pytest.mark.parametrize(("algorithm", "kind"), ALGORITHMS.items())
async def test_a_token_signed_with_a_known_key_is_good(algorithm: str, kind: str) -> None:
    verifier = make_verifier("RSA", "P-256", "P-384", "P-521", "Ed25519")

    assert (await verifier.verify(sign(make_private(kind), algorithm))).name == "ann"


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
async def test_a_token_signed_with_the_secret_is_good(algorithm: str) -> None:
    assert (await make_verifier().verify(sign(SECRET, algorithm))).name == "ann"


async def test_its_claims_open_a_tenant() -> None:
    token = sign(SECRET, "HS256", tenant="acme", subscribe=["users.ann.>"], publish=["a", "b.*"])

    assert (await make_verifier().verify(token)).tenants == {
        "acme": Rights(subscribe=("users.ann.>",), publish=("a", "b.*"))
    }


async def test_a_token_without_a_tenant_opens_none() -> None:
    principal = await make_verifier().verify(sign(SECRET, "HS256", subscribe=[">"], delete=True))

    assert principal.tenants == {}


async def test_with_rules_only_they_count() -> None:
    verifier = make_verifier(rules=RULES)
    token = sign(SECRET, "HS256", tenant="globex", subscribe=[">"], publish=[">"], delete=[">"])

    assert (await verifier.verify(token)).tenants == {"acme": Rights(subscribe=("users.ann.>",))}


async def test_it_ends_with_the_token_and_the_leeway() -> None:
    expiry = int(time.time()) + 60

    assert (await make_verifier(leeway=7).verify(sign(SECRET, "HS256", exp=expiry))).expires == expiry + 7


async def test_a_token_without_sub_is_anonymous() -> None:
    assert (await make_verifier().verify(sign(SECRET, "HS256", sub=None))).name == "anonymous"


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", "", None])
@pytest.mark.parametrize("kinds", [(), ("RSA",)])
async def test_none_is_no_algorithm(none: str | None, kinds: tuple[str, ...]) -> None:
    verifier = make_verifier(*kinds)

    assert await refuse(verifier, forge({"alg": none}, make_claims())) is Reason.ALGORITHM
    assert await refuse(verifier, forge({"alg": none}, make_claims(), SECRET.encode())) is Reason.ALGORITHM
    assert await refuse(verifier, forge({}, make_claims())) is Reason.ALGORITHM


@pytest.mark.parametrize("alg", [["HS256"], {"HS256": 1}, 7, True, "hs256", "HS256 ", "ES256K", "ES521", "HS1"])
async def test_a_header_cannot_name_an_algorithm_in_other_ways(alg: Any) -> None:
    assert await refuse(make_verifier(), forge({"alg": alg}, make_claims(), SECRET.encode())) is Reason.ALGORITHM


@pytest.mark.parametrize("kind", sorted(set(ALGORITHMS.values())))
@pytest.mark.parametrize("ending", [b"", b"\n"])
async def test_a_public_key_is_no_secret(kind: str, ending: bytes) -> None:
    pem = write_public(make_private(kind)).strip() + ending
    forged = forge({"alg": "HS256", "typ": "JWT"}, make_claims(), pem)
    public_only, both = (
        make_verifier(kind),
        Verifier([make_secret_key(SECRET), make_public_key(make_private(kind).public_key())], ISSUER, AUDIENCE),
    )

    assert await refuse(public_only, forged) is Reason.ALGORITHM
    assert await refuse(both, forged) is Reason.BAD_SIGNATURE


async def test_a_public_key_of_a_set_is_no_secret() -> None:
    async with Publisher(make_jwk(RSA, "one")) as publisher:
        verifier = Verifier((), ISSUER, AUDIENCE, key_sets=[KeySet(KeySource(publisher.url))])
        for key in (write_public(RSA), json.dumps(make_jwk(RSA, "one")).encode()):
            forged = forge({"alg": "HS256", "kid": "one"}, make_claims(), key)
            assert await refuse(verifier, forged) is Reason.ALGORITHM
        assert publisher.requests == 0
        await verifier.close()


async def test_a_key_in_the_header_is_not_looked_at() -> None:
    for field in ({"jwk": make_jwk(OTHER)}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://127.0.0.1:1/keys"}):
        token = jwt.encode(make_claims(), OTHER, "RS256", field)
        assert await refuse(make_verifier("RSA"), token) is Reason.BAD_SIGNATURE


async def test_a_signature_by_another_key_is_bad() -> None:
    assert await refuse(make_verifier("RSA"), sign(OTHER, "RS256")) is Reason.BAD_SIGNATURE
    assert await refuse(make_verifier(), sign("x" * 64, "HS256")) is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(("algorithm", "kind"), ALGORITHMS.items())
async def test_a_changed_token_is_bad(algorithm: str, kind: str) -> None:
    header, claims, signature = sign(make_private(kind), algorithm).split(".")
    changed = encode(json.dumps(make_claims(sub="eve")).encode())
    verifier = make_verifier(kind)

    assert await refuse(verifier, f"{header}.{changed}.{signature}") is Reason.BAD_SIGNATURE
    assert await refuse(verifier, f"{header}.{claims}.") is Reason.BAD_SIGNATURE
    assert await refuse(verifier, f"{header}.{claims}.{signature[:8]}") is Reason.BAD_SIGNATURE


CLAIMS: list[tuple[dict[str, Any], Reason]] = [
    ({"exp": 1}, Reason.EXPIRED),
    ({"exp": None}, Reason.MALFORMED),
    ({"exp": "tomorrow"}, Reason.MALFORMED),
    ({"exp": "99999999999"}, Reason.MALFORMED),
    ({"exp": True}, Reason.EXPIRED),
    ({"exp": [99999999999]}, Reason.MALFORMED),
    ({"exp": float("inf")}, Reason.MALFORMED),
    ({"exp": float("nan")}, Reason.MALFORMED),
    ({"exp": 10**400}, Reason.MALFORMED),
    ({"exp": 253_402_300_800}, Reason.MALFORMED),
    ({"nbf": 9_999_999_999}, Reason.NOT_YET_VALID),
    ({"iat": 9_999_999_999}, Reason.NOT_YET_VALID),
    ({"nbf": "x"}, Reason.MALFORMED),
    ({"iat": "x"}, Reason.MALFORMED),
    ({"iss": None}, Reason.WRONG_ISSUER),
    ({"iss": "https://evil.example"}, Reason.WRONG_ISSUER),
    ({"iss": f"{ISSUER}/"}, Reason.WRONG_ISSUER),
    ({"iss": [ISSUER]}, Reason.WRONG_ISSUER),
    ({"iss": {ISSUER: 1}}, Reason.WRONG_ISSUER),
    ({"aud": None}, Reason.WRONG_AUDIENCE),
    ({"aud": ""}, Reason.WRONG_AUDIENCE),
    ({"aud": "tailrace2"}, Reason.WRONG_AUDIENCE),
    ({"aud": ["other", "tail"]}, Reason.WRONG_AUDIENCE),
    ({"aud": {AUDIENCE: 1}}, Reason.WRONG_AUDIENCE),
    ({"aud": [AUDIENCE, 1]}, Reason.WRONG_AUDIENCE),
    ({"sub": ""}, Reason.MALFORMED),
    ({"sub": 7}, Reason.MALFORMED),
    ({"sub": "ann\r\nlevel=error"}, Reason.MALFORMED),
    ({"sub": "\x1b[2J"}, Reason.MALFORMED),
    ({"sub": "\ud800"}, Reason.MALFORMED),
    ({"sub": "a" * 256}, Reason.MALFORMED),
    ({"tenant": "No"}, Reason.MALFORMED),
    ({"tenant": ["acme"]}, Reason.MALFORMED),
    ({"tenant": "acme/../globex"}, Reason.MALFORMED),
    ({"tenant": "acme", "subscribe": ">"}, Reason.MALFORMED),
    ({"tenant": "acme", "subscribe": ["a.>.b"]}, Reason.MALFORMED),
    ({"tenant": "acme", "publish": [7]}, Reason.MALFORMED),
    ({"tenant": "acme", "delete": {"a": 1}}, Reason.MALFORMED),
    ({"tenant": "acme", "delete": ["a\r\nb"]}, Reason.MALFORMED),
    ({"tenant": "acme", "delete": ["\ud800"]}, Reason.MALFORMED),
]


@pytest.mark.parametrize(("claims", "reason"), CLAIMS)
async def test_claims_that_are_refused(claims: dict[str, Any], reason: Reason) -> None:
    said = {name: value for name, value in (make_claims() | claims).items() if value is not None}

    assert await refuse(make_verifier(), forge({"alg": "HS256"}, said, SECRET.encode())) is reason


@pytest.mark.parametrize(
    "claims", [{"aud": ["other", AUDIENCE]}, {"sub": "Ännchen von Tharau"}, {"exp": 253_402_300_799}]
)
async def test_claims_that_are_good(claims: dict[str, Any]) -> None:
    assert await make_verifier().verify(sign(SECRET, "HS256", **claims))


@pytest.mark.parametrize(("claim", "offset"), [("exp", -1000), ("nbf", 1000), ("iat", 1000), ("exp", -999.5)])
async def test_clocks_may_differ_by_the_leeway(claim: str, offset: float) -> None:
    token = sign(SECRET, "HS256", **{claim: time.time() + offset})

    assert await make_verifier(leeway=2000).verify(token)
    assert await refuse(make_verifier(leeway=500), token) in (Reason.EXPIRED, Reason.NOT_YET_VALID)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "Bearer x.y.z",
        "\ud800.a.b",
        "ü.ü.ü",
        "a.b.c.d.e",
        forge({"alg": "HS256"}, [], SECRET.encode()),
        forge({"alg": "HS256"}, "claims", SECRET.encode()),
        forge({"alg": "HS256", "kid": 7}, make_claims(), SECRET.encode()),
        forge({"alg": "HS256", "crit": ["x"], "x": 1}, make_claims(), SECRET.encode()),
        forge({"alg": "HS256", "b64": False, "crit": ["b64"]}, make_claims(), SECRET.encode()),
        forge({"alg": "HS256", "typ": "dpop+jwt"}, make_claims(), SECRET.encode()),
        forge({"alg": "HS256", "typ": 7}, make_claims(), SECRET.encode()),
        sign(SECRET, "HS256") + "\n",
        sign(SECRET, "HS256", x="x" * 8192),
        "x" * 1_000_000,
        f"{encode(b'[' * 6000)}.e30.e30",
        f"{encode(json.dumps({'alg': 'HS256'}).encode())}.{encode(b'[' * 5900)}.e30",
    ],
    ids=lambda token: ascii(token[:24]),
)
async def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await make_verifier().verify(token)
    assert caught.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+JWT"])
async def test_access_tokens_may_say_that_they_are(typ: str) -> None:
    assert await make_verifier().verify(forge({"alg": "HS256", "typ": typ}, make_claims(), SECRET.encode()))


async def test_tokens_without_issuer_and_audience_are_good_where_none_is_set() -> None:
    verifier = Verifier([make_secret_key(SECRET)])

    assert await verifier.verify(sign(SECRET, "HS256", iss=None, aud=None))
    assert await verifier.verify(sign(SECRET, "HS256", aud=None))
    assert await refuse(verifier, sign(SECRET, "HS256")) is Reason.WRONG_AUDIENCE


async def test_any_audience_is_good_where_that_is_said() -> None:
    assert await Verifier([make_secret_key(SECRET)], audience="*").verify(sign(SECRET, "HS256", aud="other"))


async def test_a_good_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count_calls(monkeypatch)
    verifier, token = make_verifier("RSA"), sign(RSA, "RS256")

    first = await verifier.verify(token)
    assert len(calls) == 1
    assert await verifier.verify(token) is first
    assert len(calls) == 1


async def test_a_refused_token_is_not_remembered() -> None:
    verifier = make_verifier()
    for _ in range(3):
        assert await refuse(verifier, sign("x" * 64, "HS256")) is Reason.BAD_SIGNATURE
    assert verifier._remembered == {}


async def test_what_is_remembered_is_no_token() -> None:
    verifier, token = make_verifier(), sign(SECRET, "HS256")
    await verifier.verify(token)

    assert list(verifier._remembered) == [hashlib.sha256(token.encode()).digest()]
    assert not any(part in repr(verifier._remembered) for part in token.split("."))


async def test_a_remembered_token_expires() -> None:
    clock = Clock(time.time())
    verifier, token = make_verifier(clock=clock, leeway=5), sign(SECRET, "HS256")
    expires = (await verifier.verify(token)).expires
    assert expires is not None

    clock.now = expires - 0.1
    assert await verifier.verify(token)
    clock.now = expires
    assert await refuse(verifier, token) is Reason.EXPIRED
    assert verifier._remembered == {}


async def test_the_least_recently_used_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = make_verifier(max_remembered=2)
    one, two, three = (sign(SECRET, "HS256", sub=name) for name in ("one", "two", "three"))
    for token in (one, two, one, three):
        await verifier.verify(token)
    calls = count_calls(monkeypatch)

    assert [principal.name for principal in (await verifier.verify(one), await verifier.verify(three))] == [
        "one",
        "three",
    ]
    assert len(calls) == 0
    await verifier.verify(two)
    assert len(calls) == 1


def count_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each token whose signature is verified."""
    calls: list[str] = []
    decode: Callable[..., dict[str, Any]] = jwt.decode

    def counting(token: str, *args: Any, **options: Any) -> dict[str, Any]:
        calls.append(token)
        return decode(token, *args, **options)

    monkeypatch.setattr(jwt, "decode", counting)
    return calls
