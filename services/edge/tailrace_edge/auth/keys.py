"""Keys: each is pinned to the algorithms that it may be used with, whatever a token's header says (RFC 8725 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import HMACAlgorithm
from jwt.exceptions import InvalidKeyError
from tailrace_protocol.errors import SetupError

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

_SECRETS = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes that a secret has at least: as many as the hash (RFC 7518 3.2)."""
_RSA: tuple[str, ...] = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_RSA_BITS = 2048
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_EDWARDS = "EdDSA"

PUBLIC_ALGORITHMS = frozenset({*_RSA, *_CURVES.values(), _EDWARDS})
ALGORITHMS = PUBLIC_ALGORITHMS | frozenset(_SECRETS)
"""All that any key may allow. `none` is not among them."""

_MAKE_SECRET = "make one with: openssl rand -base64 48"


@dataclass(frozen=True, slots=True)
class Key:
    """What signatures are verified with.

    Attributes:
        material: a secret or a public key.
        algorithms: what it may be used with, and nothing else.
        kid: its name, where it has one.
        issuers: whose tokens it may verify; empty for any that the verifier takes.
    """

    material: bytes | PublicKey = field(repr=False)
    algorithms: tuple[str, ...]
    kid: str | None = None
    issuers: frozenset[str] = frozenset()


class UnfitKey(ValueError):
    """A public key is of a kind or size that nothing may be verified with."""


def make_secret_key(secret: str, *, name: str = "TAILRACE_JWT_SECRET") -> Key:
    """Return the key that a secret is; it allows HS256, with 48 bytes HS384 too, with 64 HS512.

    Args:
        secret: text, used as its bytes.
        name: of the setting, for the error.

    Raises:
        SetupError: it is shorter than 32 bytes, or no secret but a key's file or JSON.
    """
    material = read_secret(secret, name=name)
    return Key(material, tuple(algorithm for algorithm, size in _SECRETS.items() if len(material) >= size))


def read_secret(secret: str, *, name: str = "TAILRACE_JWT_SECRET") -> bytes:
    """Return the bytes of a secret.

    Raises:
        SetupError: as `make_secret_key` does.
    """
    material = secret.encode(errors="surrogateescape")
    least = min(_SECRETS.values())
    if len(material) < least:
        raise SetupError(f"{name} has {len(material)} bytes, {least} are the least (RFC 7518 3.2): {_MAKE_SECRET}")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except InvalidKeyError:
        raise SetupError(
            f"{name} is a public key, a certificate or a JWK, which is no secret: name the file of a public key "
            f"in TAILRACE_JWT_KEY_FILES, or {_MAKE_SECRET}"
        ) from None
    return material


def load_public_key(path: Path) -> Key:
    """Return the public key in a PEM file.

    An RSA key allows RS256 to PS512, one on P-256, P-384 or P-521 its own ES algorithm, Ed25519 EdDSA.

    Raises:
        SetupError: there is no such file, or what is in it is not one public key that can be used.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SetupError(f"the key file {str(path)!r} cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY-----" in text:
        raise SetupError(
            f"the key file {str(path)!r} holds a private key, which an edge must not have: "
            "give it the public one, from: openssl pkey -in FILE -pubout"
        )
    if b"-----BEGIN CERTIFICATE" in text:
        raise SetupError(
            f"the key file {str(path)!r} holds a certificate: take its key, with: openssl x509 -in FILE -pubkey -noout"
        )
    if text.count(b"-----BEGIN ") > 1:
        raise SetupError(f"the key file {str(path)!r} holds several keys: put each into a file of its own")
    try:
        return make_public_key(load_pem_public_key(text))
    except UnfitKey as error:
        raise SetupError(f"the key file {str(path)!r} cannot be used: {error}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SetupError(f"the key file {str(path)!r} is no public key in PEM (-----BEGIN PUBLIC KEY-----)") from None


def make_public_key(
    material: object, *, algorithm: str | None = None, kid: str | None = None, issuers: frozenset[str] = frozenset()
) -> Key:
    """Return a public key with the algorithms of its kind, or of them the one that is named.

    Raises:
        UnfitKey: its kind or size is none that is allowed, or `algorithm` is not one of its kind.
    """
    match material:
        case RSAPublicKey():
            if material.key_size < _RSA_BITS:
                raise UnfitKey(f"an RSA key has {_RSA_BITS} bits at least, this one {material.key_size}")
            algorithms = _RSA
        case EllipticCurvePublicKey() if material.curve.name in _CURVES:
            algorithms = (_CURVES[material.curve.name],)
        case Ed25519PublicKey():
            algorithms = (_EDWARDS,)
        case _:
            raise UnfitKey("keys are RSA, on the curves P-256, P-384 and P-521, or Ed25519")
    if algorithm is not None and algorithm not in algorithms:
        raise UnfitKey(f"the key says that it is for {algorithm[:16]!r}, which keys of its kind are not")
    return Key(material, algorithms if algorithm is None else (algorithm,), kid, issuers)
