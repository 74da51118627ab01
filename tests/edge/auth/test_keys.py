from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ed448, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from edge.auth.samples import ALGORITHMS, SECRET, make_private, write_private, write_public
from tailrace_edge.auth.keys import ALGORITHMS as ALL
from tailrace_edge.auth.keys import UnfitKey, load_public_key, make_public_key, make_secret_key
from tailrace_protocol.errors import SetupError

KINDS = sorted(set(ALGORITHMS.values()))


@pytest.mark.parametrize(
    ("size", "algorithms"),
    [(32, ["HS256"]), (47, ["HS256"]), (48, ["HS256", "HS384"]), (64, ["HS256", "HS384", "HS512"])],
)
def test_a_secret_allows_what_it_is_long_enough_for(size: int, algorithms: list[str]) -> None:
    assert list(make_secret_key("s" * size).algorithms) == algorithms


@pytest.mark.parametrize("secret", ["", "secret", "s" * 31])
def test_a_short_secret_is_refused(secret: str) -> None:
    with pytest.raises(SetupError, match=rf"TICKETS has {len(secret)} bytes, 32 are the least.*openssl rand") as caught:
        make_secret_key(secret, name="TICKETS")
    assert not secret or f"{secret!r}" not in str(caught.value)


def test_the_bytes_of_a_secret_count_not_its_characters() -> None:
    assert make_secret_key("ü" * 16).material == ("ü" * 16).encode()


@pytest.mark.parametrize(
    "secret", [write_public(make_private("RSA")).decode(), '{"kty": "oct", "k": "' + SECRET + '"}']
)
def test_a_key_file_or_a_jwk_is_no_secret(secret: str) -> None:
    with pytest.raises(SetupError, match="is no secret"):
        make_secret_key(secret)


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(make_secret_key(SECRET))


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_key_allows_the_algorithms_of_its_kind(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(write_public(make_private(kind)))

    assert list(load_public_key(path).algorithms) == [name for name, its in ALGORITHMS.items() if its == kind]


def test_an_rsa_key_of_the_old_format_is_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(make_private("RSA").public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1))

    assert "RS256" in load_public_key(path).algorithms


@pytest.mark.parametrize("kind", KINDS)
def test_a_private_key_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(write_private(make_private(kind)))

    with pytest.raises(SetupError, match=r"key\.pem' holds a private key.*openssl pkey"):
        load_public_key(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no public key in PEM"),
        (SECRET.encode(), "no public key in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "openssl x509"),
        (write_public(make_private("RSA")) * 2, "several keys"),
        (write_public(make_private("secp256k1")), "P-256, P-384 and P-521"),
        (
            ed448.Ed448PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "Ed25519",
        ),
        (
            rsa.generate_private_key(65537, 1024)
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "2048 bits at least",
        ),
    ],
)
def test_what_is_no_key_to_use_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)

    with pytest.raises(SetupError, match=said):
        load_public_key(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"none\.pem' cannot be read: No such file"):
        load_public_key(tmp_path / "none.pem")


def test_a_key_may_be_pinned_to_one_of_its_algorithms() -> None:
    public = make_private("RSA").public_key()

    assert make_public_key(public, algorithm="PS256").algorithms == ("PS256",)
    with pytest.raises(UnfitKey, match="HS256"):
        make_public_key(public, algorithm="HS256")


def test_no_key_is_for_none() -> None:
    assert not {"none", "None", "NONE", "ES256K"} & ALL


def test_keys_of_other_kinds_are_refused() -> None:
    with pytest.raises(UnfitKey):
        make_public_key(dsa.generate_private_key(1024).public_key())
