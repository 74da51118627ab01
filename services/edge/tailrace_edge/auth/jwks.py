"""Key sets: the public keys that an issuer publishes at a URL (RFC 7517), kept and asked for anew.

A set is asked for when it is first needed, when it is older than its maximum age, and when a token names a key that is
not in it (the issuer may have rotated), the last at most every so often, whoever asks. All that wait for it share one
request. While the issuer is away, the keys it had last are used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import structlog
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError
from tailrace_protocol.errors import SetupError

from tailrace_edge.auth.errors import KeysUnavailable
from tailrace_edge.auth.keys import Key, UnfitKey, make_public_key

_MAX_BYTES = 256 * 1024
_MAX_KEYS = 100
_RETRY = 5.0
"""Seconds between two requests when the first of them failed, if that is less than the interval."""

_BEYOND_HTTPX = (httpx.InvalidURL, UnicodeError, OverflowError, ExceptionGroup)
"""What httpx has no error of its own for: hosts, ports, redirects and cookies that can be none."""

_log = structlog.get_logger(__name__)


class KeySource(NamedTuple):
    """Where an issuer publishes its keys.

    Attributes:
        url: of the set.
        issuers: whose tokens its keys may sign; empty for all that the verifier takes.
    """

    url: str
    issuers: frozenset[str] = frozenset()


class InvalidKeySet(ValueError):
    """What came from the URL is no key set."""


def parse_source(text: str) -> KeySource:
    """Return the source that `URL` or `URL iss=ISSUER` names; there may be several `iss=`.

    Raises:
        SetupError: it is none, or the URL is not https (http is for loopback), or has a password.
    """
    url, *options = text.split()
    issuers = [option.removeprefix("iss=") for option in options if option.startswith("iss=")]
    if len(issuers) != len(options) or not all(issuers):
        raise SetupError("TAILRACE_JWKS_URLS: after a URL stands nothing but iss=ISSUER, the issuer whose keys it has")
    return KeySource(_check_url(url), frozenset(issuers))


def _check_url(url: str) -> str:
    # It is not shown, since it may hold a password.
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise SetupError("TAILRACE_JWKS_URLS: one of them is not a URL like https://issuer.example/keys") from None
    if not host or parts.scheme not in ("http", "https"):
        raise SetupError("TAILRACE_JWKS_URLS: one of them is not a URL like https://issuer.example/keys")
    if parts.username is not None or parts.password is not None:
        raise SetupError(
            f"TAILRACE_JWKS_URLS: the URL at {host!r} has a user or password, which key sets are read without"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise SetupError(f"TAILRACE_JWKS_URLS: keys from {host!r} have to come over https; http is for loopback only")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_key_set(body: bytes, issuers: frozenset[str] = frozenset()) -> list[Key]:
    """Return those keys of a JWKS document that signatures may be verified with.

    Left out are secrets and private keys (nobody may publish them), keys for encryption (`use`, `key_ops`), and those
    whose kind, size or `alg` is none that is allowed.

    Raises:
        InvalidKeySet: the document is none.
    """
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidKeySet("the answer is no key set, which is JSON with a list of keys") from None
    if len(document.keys) > _MAX_KEYS:
        raise InvalidKeySet(f"the set has {len(document.keys)} keys, {_MAX_KEYS} are allowed")
    keys = []
    for number, jwk in enumerate(document.keys, 1):
        try:
            keys.append(_read_key(jwk, issuers))
        except UnfitKey as error:
            _log.warning("key left out", number=number, reason=str(error))
    return keys


class _Document(msgspec.Struct):
    keys: list[Any]


class _Fields(msgspec.Struct):
    """Of a JWK, what says how it may be used."""

    kty: str
    use: str = "sig"
    key_ops: list[str] = msgspec.field(default_factory=lambda: ["verify"])
    alg: str | None = None
    kid: str | None = None


_KINDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}


def _read_key(jwk: Any, issuers: frozenset[str]) -> Key:
    try:
        fields = msgspec.convert(jwk, _Fields)
    except msgspec.ValidationError as error:
        raise UnfitKey(f"it is no JWK: {error}") from None
    if fields.kty == "oct" or "d" in jwk:
        raise UnfitKey("it is a secret or a private key, which is nothing to publish; the issuer has to replace it")
    if fields.use != "sig" or "verify" not in fields.key_ops:
        raise UnfitKey("it is not for signatures")
    if fields.kty not in _KINDS:
        raise UnfitKey("its kty is none of RSA, EC and OKP")
    try:
        material = _KINDS[fields.kty](jwk)
    except (PyJWTError, ValueError, TypeError, AttributeError):
        raise UnfitKey("its numbers make no key") from None
    return make_public_key(material, algorithm=fields.alg, kid=fields.kid, issuers=issuers)


def _make_client(timeout: float) -> httpx.AsyncClient:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    try:
        return httpx.AsyncClient(timeout=timeout, headers=headers)
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise SetupError(
            f"TAILRACE_JWKS_URLS cannot be read with what the environment says of proxies and certificates: {error}; "
            "look at HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE"
        ) from error


async def _check_connected(step: str, info: Mapping[str, Any]) -> None:
    # A connection that was reset at once has no socket any more under uvloop, and httpcore falls over that.
    if step == "connection.connect_tcp.complete":
        try:
            info["return_value"].get_extra_info("socket")
        except AttributeError as error:
            raise httpx.ConnectError("the connection was reset as soon as it was made") from error


class KeySet:
    """The keys at one URL."""

    def __init__(
        self,
        source: KeySource,
        *,
        max_age: float = 3600.0,
        min_interval: float = 30.0,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a set that has not been asked for yet.

        Args:
            source: where it is.
            max_age: seconds after which it is asked for anew.
            min_interval: seconds between two requests, however many unknown keys are named.
            timeout: seconds that one request may take in all.
            clock: seconds, for `max_age` and `min_interval`.
        """
        self.issuers = source.issuers
        self._url = source.url
        self._host = urlsplit(source.url).hostname
        self._max_age = max_age
        self._min_interval = min_interval
        self._timeout = timeout
        self._clock = clock
        self._client = _make_client(timeout)
        self._keys: list[Key] = []
        self._body = b""
        self._read_at: float | None = None
        self._asked_at: float | None = None
        self._failed = False
        self._request: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> list[Key]:
        """Return the keys of a name, or all if a token names none.

        Raises:
            KeysUnavailable: there is none, and the last request for the set failed.
        """
        await self.freshen()
        found = self._pick(kid)
        if not found and (request := self._share_request()) is not None:
            await asyncio.shield(request)
            found = self._pick(kid)
        if not found and self._failed:
            raise KeysUnavailable(
                f"the keys at {self._host} that tokens are checked with cannot be read at the moment; try again"
            )
        return found

    async def freshen(self) -> None:
        """Ask for the set if it is due; wait for it unless there are keys and their issuer has been away."""
        if self._read_at is not None and self._clock() - self._read_at < self._max_age:
            return
        request = self._share_request()
        if request is not None and not (self._failed and self._read_at is not None):
            await asyncio.shield(request)

    def holds(self, key: Key) -> bool:
        """Return whether the issuer published the key when it was asked last."""
        return key in self._keys

    async def close(self) -> None:
        """End a request that is on its way, and the connection."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait([self._request])
        await self._client.aclose()

    def _pick(self, kid: str | None) -> list[Key]:
        return [key for key in self._keys if kid is None or key.kid == kid]

    def _share_request(self) -> asyncio.Task[None] | None:
        """Return the request that is on its way, or a new one, or None if it is too early for that."""
        if self._request is None and self._may_ask():
            self._asked_at = self._clock()
            self._request = asyncio.create_task(self._ask(), name="key set")
        return self._request

    def _may_ask(self) -> bool:
        interval = min(self._min_interval, _RETRY) if self._failed else self._min_interval
        return self._asked_at is None or self._clock() - self._asked_at >= interval

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                body = await self._download()
            if body != self._body:
                self._keys = parse_key_set(body, self.issuers)
                self._body = body
                _log.info("key set read", host=self._host, keys=len(self._keys))
            self._read_at = self._clock()
            self._failed = False
        except (*_BEYOND_HTTPX, httpx.HTTPError, OSError, InvalidKeySet) as error:
            self._failed = True
            # The texts of httpx may hold the URL.
            reason = str(error) if isinstance(error, InvalidKeySet) else type(error).__name__
            _log.warning("key set not read", host=self._host, reason=reason, keys=len(self._keys))
        finally:
            self._request = None

    async def _download(self) -> bytes:
        async with self._client.stream("GET", self._url, extensions={"trace": _check_connected}) as response:
            if response.status_code != 200:
                raise InvalidKeySet(
                    f"the answer is {response.status_code}; 200 is expected, redirects are not followed"
                )
            body = bytearray()
            # Not decompressed: a few bytes could become any number.
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise InvalidKeySet(f"the answer has more than {_MAX_BYTES} bytes")
            return bytes(body)
