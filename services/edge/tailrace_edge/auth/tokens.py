"""Tokens: JSON Web Tokens are verified and become principals. PyJWT does the cryptography."""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jwt
import msgspec
from jwt import exceptions
from tailrace_protocol.errors import InvalidInput, SetupError
from tailrace_protocol.patterns import check_pattern
from tailrace_protocol.tenants import check_tenant

from tailrace_edge.auth.errors import Reason, Unauthenticated
from tailrace_edge.auth.jwks import KeySet
from tailrace_edge.auth.keys import PUBLIC_ALGORITHMS, Key, read_secret
from tailrace_edge.auth.principal import ANONYMOUS, Principal
from tailrace_edge.auth.rights import Rights
from tailrace_edge.auth.rules import Rules

MAX_BYTES = 8 * 1024
ANY_AUDIENCE = "*"

_MAX_NAME = 255
_MAX_TIME = 253_402_300_799
"""The end of the year 9999: later times cannot be written."""
_TYPES = frozenset({"jwt", "at+jwt"})
"""Of the header's `typ` (RFC 7519 5.1, RFC 9068 2.1); other kinds of JWT are not for getting in (RFC 8725 3.11)."""


class UnverifiedToken(NamedTuple):
    """What a token says, which may be a lie."""

    header: dict[str, Any]
    claims: dict[str, Any]


class _Verified(NamedTuple):
    principal: Principal
    key: Key
    key_set: KeySet | None


class _Grant(msgspec.Struct):
    """The claims of Tailrace's own."""

    tenant: str
    subscribe: list[str] = msgspec.field(default_factory=list)
    publish: list[str] = msgspec.field(default_factory=list)
    delete: list[str] = msgspec.field(default_factory=list)
    cancel: list[str] = msgspec.field(default_factory=list)


def read_token(token: str) -> UnverifiedToken:
    """Return what a token says, of which nothing is verified.

    Raises:
        Unauthenticated: it is no signed JSON Web Token, or larger than 8 KiB.
    """
    _check_form(token)
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except exceptions.PyJWTError:
        raise _malformed() from None
    return UnverifiedToken(decoded["header"], decoded["payload"])


def read_grant(claims: Mapping[str, Any]) -> dict[str, Rights]:
    """Return the tenant and the rights that the claims `tenant`, `subscribe`, `publish`, `delete` and `cancel` give.

    Raises:
        Unauthenticated: one of them cannot be. A token without `tenant` opens none.
    """
    if "tenant" not in claims:
        return {}
    try:
        grant = msgspec.convert(claims, _Grant)
        lists = (tuple(map(check_pattern, getattr(grant, right))) for right in Rights._fields)
        return {check_tenant(grant.tenant): Rights(*lists)}
    except (msgspec.ValidationError, InvalidInput) as error:
        raise _refuse(Reason.MALFORMED, f"the token grants what cannot be: {error}") from None


def mint_token(
    secret: str,
    tenant: str,
    rights: Rights,
    *,
    name: str | None = None,
    ttl: float = 3600.0,
    issuer: str | None = None,
    audience: str | None = None,
) -> str:
    """Return a token of Tailrace's own, signed with HS256.

    Args:
        secret: that the edges know.
        tenant: that it opens.
        rights: inside that tenant.
        name: of who gets it, its `sub`.
        ttl: seconds until it expires.
        issuer: its `iss`.
        audience: its `aud`.

    Raises:
        SetupError: the secret is too short.
        InvalidInput: tenant or a pattern is none.
    """
    now = math.floor(time.time())
    claims: dict[str, Any] = {"iss": issuer, "aud": audience, "sub": name, "iat": now, "exp": now + math.ceil(ttl)}
    claims["tenant"] = check_tenant(tenant)
    for right, patterns in rights._asdict().items():
        claims[right] = [check_pattern(pattern) for pattern in patterns] or None
    said = {claim: value for claim, value in claims.items() if value is not None}
    return jwt.encode(said, read_secret(secret), algorithm="HS256")


class Verifier:
    """Turns tokens into principals, and remembers those it has verified until they expire."""

    def __init__(
        self,
        keys: Sequence[Key] = (),
        issuers: str | Iterable[str] = (),
        audience: str | Iterable[str] = (),
        *,
        key_sets: Sequence[KeySet] = (),
        leeway: float = 30.0,
        rules: Rules | None = None,
        max_remembered: int = 10_000,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make a verifier.

        Args:
            keys: secrets and public keys that are here.
            issuers: of whom `iss` names one; empty: it is not looked at. Key sets that name issuers go before it.
            audience: of which `aud` names one; `*`: it is not looked at; empty: tokens must not have any.
            key_sets: that issuers publish. They are closed with the verifier.
            leeway: seconds that clocks may differ.
            rules: what claims open; without them the tokens' own (`tenant`, `subscribe`, ...) say it.
            max_remembered: verified tokens, of which the least recently used go first.
            clock: Unix seconds, for tokens that are remembered.

        Raises:
            SetupError: tokens that were meant for others could get in.
        """
        self._keys = tuple(keys)
        self._key_sets = tuple(key_sets)
        self._issuers = _as_set(issuers)
        self._audience = _as_set(audience)
        self._leeway = leeway
        self._rules = rules
        self._max_remembered = max_remembered
        self._clock = clock
        self._remembered: OrderedDict[bytes, _Verified] = OrderedDict()
        self._check_setup()

    async def verify(self, token: str) -> Principal:
        """Return who asks.

        Raises:
            Unauthenticated: the token is not good; its reason says why.
            KeysUnavailable: it cannot be told, since the issuer does not hand out its keys.
        """
        _check_form(token)
        digest = hashlib.sha256(token.encode()).digest()
        verified = await self._recall(digest)
        if verified is None:
            verified = await self._verify(token)
            self._remembered[digest] = verified
            if len(self._remembered) > self._max_remembered:
                self._remembered.popitem(last=False)
        return verified.principal

    async def warm(self) -> None:
        """Ask for the key sets, so that the first token need not wait. What cannot be read is asked for again later."""
        for key_set in self._key_sets:
            await key_set.freshen()

    async def close(self) -> None:
        """Close the key sets."""
        for key_set in self._key_sets:
            await key_set.close()

    def _check_setup(self) -> None:
        if not self._keys and not self._key_sets:
            raise SetupError(
                "there is no key to check tokens with: "
                "set TAILRACE_JWT_SECRET, TAILRACE_JWT_KEY_FILES or TAILRACE_JWKS_URLS"
            )
        if not self._key_sets:
            return
        if not self._audience:
            raise SetupError(
                "TAILRACE_JWT_AUDIENCE is missing: without it, tokens that the issuer gave to its other applications "
                "would get in. Set it to what `aud` is in tokens for Tailrace; to * if the issuer's tokens have none"
            )
        unbound = sum(not key_set.issuers for key_set in self._key_sets)
        if unbound and not self._issuers:
            raise SetupError(
                "TAILRACE_JWT_ISSUERS is missing: "
                "set it to what `iss` is in tokens that the keys at TAILRACE_JWKS_URLS sign"
            )
        if unbound and len(self._key_sets) > 1 and len(self._issuers) > 1:
            raise SetupError(
                "with several key sets and several issuers, each could sign as another: write whose keys each URL in "
                "TAILRACE_JWKS_URLS has, as https://issuer.example/keys iss=https://issuer.example"
            )

    async def _recall(self, digest: bytes) -> _Verified | None:
        verified = self._remembered.get(digest)
        if verified is None:
            return None
        if verified.key_set is not None:
            await verified.key_set.freshen()
            if not verified.key_set.holds(verified.key):
                self._remembered.pop(digest, None)
                return None
        expires = verified.principal.expires
        if expires is not None and expires <= self._clock():
            self._remembered.pop(digest, None)
            raise _expired()
        if digest in self._remembered:
            self._remembered.move_to_end(digest)
        return verified

    async def _verify(self, token: str) -> _Verified:
        header, claims = read_token(token)
        _check_type(header)
        algorithm = self._check_algorithm(header)
        keys = [
            key for key in self._keys if algorithm in key.algorithms and self._is_of(claims.get("iss"), key.issuers)
        ]
        key_sets = self._find_sets(claims.get("iss")) if algorithm in PUBLIC_ALGORITHMS else []
        if not keys and not key_sets:
            raise self._wrong_issuer()
        tried: list[Key] = []
        for key_set in (None, *key_sets):
            fit = keys if key_set is None else await _find_keys(key_set, header.get("kid"), algorithm)
            tried += fit
            for key in fit:
                signed = self._decode(token, key)
                if signed is not None:
                    return _Verified(self._make_principal(signed), key, key_set)
        raise _bad_signature() if tried else _unknown_key()

    def _check_algorithm(self, header: Mapping[str, Any]) -> str:
        allowed = {algorithm for key in self._keys for algorithm in key.algorithms}
        if self._key_sets:
            allowed |= PUBLIC_ALGORITHMS
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in allowed:
            raise _refuse(
                Reason.ALGORITHM,
                f"the token's algorithm is none that this edge has a key for: {', '.join(sorted(allowed))}",
            )
        return algorithm

    def _is_of(self, issuer: object, issuers: frozenset[str]) -> bool:
        accepted = issuers or self._issuers
        return not accepted or (isinstance(issuer, str) and issuer in accepted)

    def _find_sets(self, issuer: object) -> list[KeySet]:
        # Only the issuer that a token names is asked for its keys; whether it is the token's issuer, its key tells.
        return [key_set for key_set in self._key_sets if self._is_of(issuer, key_set.issuers)]

    def _decode(self, token: str, key: Key) -> dict[str, Any] | None:
        """Return the claims of a token, None if it is not signed with the key."""
        issuers = key.issuers or self._issuers
        try:
            return jwt.decode(
                token,
                key.material,
                algorithms=list(key.algorithms),
                audience=self._audience or None,
                issuer=issuers or None,
                leeway=self._leeway,
                options={
                    "require": ["exp"],
                    "verify_aud": ANY_AUDIENCE not in self._audience,
                    "enforce_minimum_key_length": True,
                },
            )
        except exceptions.InvalidSignatureError:
            return None
        except exceptions.InvalidTokenError as error:
            raise self._explain(error) from None

    def _make_principal(self, claims: Mapping[str, Any]) -> Principal:
        tenants = read_grant(claims) if self._rules is None else self._rules.apply(claims)
        return Principal(_read_name(claims), tenants, _read_expiry(claims) + self._leeway)

    def _explain(self, error: exceptions.InvalidTokenError) -> Unauthenticated:
        missing = error.claim if isinstance(error, exceptions.MissingRequiredClaimError) else None
        match error:
            case exceptions.ExpiredSignatureError():
                return _expired()
            case exceptions.ImmatureSignatureError():
                return _refuse(
                    Reason.NOT_YET_VALID,
                    "the token is not valid yet (`nbf`, `iat`): wait, or set the clocks of its issuer and this edge",
                )
            case exceptions.InvalidIssuerError() | exceptions.MissingRequiredClaimError() if missing in (None, "iss"):
                return self._wrong_issuer()
            case exceptions.InvalidAudienceError() | exceptions.MissingRequiredClaimError() if missing in (None, "aud"):
                return self._wrong_audience()
            case _:
                # Of PyJWT's texts none holds what a claim says.
                return _refuse(Reason.MALFORMED, f"the token has a claim missing, or one that cannot be: {error}")

    def _wrong_audience(self) -> Unauthenticated:
        expected = ", ".join(sorted(self._audience)) or "none, until TAILRACE_JWT_AUDIENCE is set"
        return _refuse(
            Reason.WRONG_AUDIENCE,
            f"the token is for another audience: its `aud` has to name what this edge takes, {expected}",
        )

    def _wrong_issuer(self) -> Unauthenticated:
        accepted = self._issuers.union(*(key_set.issuers for key_set in self._key_sets))
        return _refuse(
            Reason.WRONG_ISSUER, f"the token's `iss` is none that this edge takes: {', '.join(sorted(accepted))}"
        )


def _as_set(names: str | Iterable[str]) -> frozenset[str]:
    return frozenset({names} if isinstance(names, str) else names) - {""}


async def _find_keys(key_set: KeySet, kid: str | None, algorithm: str) -> list[Key]:
    found = await key_set.find(kid)
    fit = [key for key in found if algorithm in key.algorithms]
    if found and not fit:
        allowed = sorted({allowed for key in found for allowed in key.algorithms})
        raise _refuse(
            Reason.ALGORITHM, f"the token's algorithm is not one of its key, which is for {', '.join(allowed)}"
        )
    return fit


def _check_form(token: str) -> None:
    if len(token) > MAX_BYTES:
        raise _refuse(Reason.MALFORMED, f"the token has {len(token)} bytes, {MAX_BYTES} are allowed")
    if not token.isascii():
        raise _malformed()


def _check_type(header: Mapping[str, Any]) -> None:
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise _refuse(Reason.MALFORMED, "the token is of another kind: its `typ` is JWT or at+jwt, or left out")


def _read_name(claims: Mapping[str, Any]) -> str:
    name: str = claims.get("sub", ANONYMOUS)
    # It stands in logs: no line may be broken by it.
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise _refuse(Reason.MALFORMED, f"the token's `sub` is to be 1 to {_MAX_NAME} printable characters")
    return name


def _read_expiry(claims: Mapping[str, Any]) -> float:
    # PyJWT takes numbers in quotes too.
    expiry = claims["exp"]
    if isinstance(expiry, bool) or not isinstance(expiry, int | float) or expiry > _MAX_TIME:
        raise _refuse(Reason.MALFORMED, "the token's `exp` is to be a time in Unix seconds")
    return float(expiry)


def _refuse(reason: Reason, message: str) -> Unauthenticated:
    return Unauthenticated(reason, message)


def _malformed() -> Unauthenticated:
    return _refuse(
        Reason.MALFORMED, "this is not a token: a signed JSON Web Token is expected, header.claims.signature"
    )


def _expired() -> Unauthenticated:
    return _refuse(Reason.EXPIRED, "the token has expired: get a new one")


def _bad_signature() -> Unauthenticated:
    return _refuse(
        Reason.BAD_SIGNATURE,
        "the token's signature is not by a key that this edge knows, or the token was changed: get a new one",
    )


def _unknown_key() -> Unauthenticated:
    return _refuse(
        Reason.UNKNOWN_KEY, "the token names a key that its issuer does not publish (any more): get a new one"
    )
