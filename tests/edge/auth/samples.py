"""Keys of every kind, tokens signed with them, and an issuer that publishes its keys."""

import asyncio
import json
import time
from functools import cache
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

SECRET = "0123456789abcdef" * 4
ISSUER = "https://issuer.example"
AUDIENCE = "tailrace"

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey


@cache
def make_private(kind: str, number: int = 0) -> Private:
    """Return the private key of that number: RSA, P-256, P-384, P-521, secp256k1 or Ed25519."""
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
        "secp256k1": ec.SECP256K1(),
    }
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return Ed25519PrivateKey.generate() if kind == "Ed25519" else ec.generate_private_key(curves[kind])


ALGORITHMS = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
}


def write_public(private: Private) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def write_private(private: Private) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_jwk(private: Private, kid: str | None = None, **fields: Any) -> dict[str, Any]:
    public = private.public_key()
    jwk: dict[str, Any]
    if isinstance(public, rsa.RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(public, as_dict=True)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        jwk = ECAlgorithm.to_jwk(public, as_dict=True)
    else:
        jwk = OKPAlgorithm.to_jwk(public, as_dict=True)
    return jwk | ({} if kid is None else {"kid": kid}) | fields


def make_claims(**claims: Any) -> dict[str, Any]:
    """Return claims that are good for ten minutes, with those given; those given as None are left out."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 600} | claims
    return {name: value for name, value in said.items() if value is not None}


def sign(key: Private | str, algorithm: str, kid: str | None = None, /, **claims: Any) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(make_claims(**claims), key, algorithm, headers)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Publisher:
    """A real HTTP server with a key set, which counts how often it was asked."""

    def __init__(self, *jwks: dict[str, Any]) -> None:
        self.body = b""
        self.head = "HTTP/1.1 200 OK"
        self.pause = 0.0
        self.requests = 0
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.publish(*jwks)

    def publish(self, *jwks: dict[str, Any]) -> None:
        self.body = json.dumps({"keys": jwks}).encode()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/keys"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.set()
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            self.asked.set()
            await self.open.wait()
            head = f"{self.head}\r\ncontent-length: {len(self.body)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode())
            step = 1 if self.pause else len(self.body) or 1
            for start in range(0, len(self.body), step):
                writer.write(self.body[start : start + step])
                await writer.drain()
                await asyncio.sleep(self.pause)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # who asked went away
        finally:
            writer.close()
