"""Logins of NATS that sign what the broker asks: `.creds` files of its operator mode, and plain nkeys (NATS ADR-14).

An nkey is an Ed25519 key in base32, which ends with a check sum. The first letters say what it is: `SU` the seed of a
user, `U` the public key. A `.creds` file has a user's JWT and a seed.
"""

import base64
import binascii
import re
from typing import NamedTuple

from tailrace_protocol.errors import SetupError

_USER = 20 << 3
_SEED = 18 << 3
_SIZE = 32

_JWT = re.compile(r"-----BEGIN NATS USER JWT-----\s+(\S+)\s+-+END NATS USER JWT-+")
_LINE = re.compile(r"^\s*(SU[A-Z2-7]{56})\s*$", re.MULTILINE)


class Credentials(NamedTuple):
    """What a user of NATS logs in with.

    Attributes:
        jwt: what the broker is shown; empty for a plain nkey, of which it knows the public key.
        seed: the private key, 32 bytes (RFC 8032), that signs.
    """

    jwt: str
    seed: bytes

    def __repr__(self) -> str:
        """Return no secret."""
        return "Credentials(...)"


def parse_credentials(text: str) -> Credentials:
    """Return the login in the text of a `.creds` file, or of a file with the seed of a user's nkey.

    Raises:
        SetupError: it has no such login.
    """
    jwt = _JWT.search(text)
    line = _LINE.search(text)
    if line is None:
        raise SetupError("it has no seed of a user, which begins with SU: take the file that nsc or nk wrote")
    if jwt is None and "NATS USER JWT" in text:
        raise SetupError("its JWT is damaged: take the file that nsc wrote")
    return Credentials("" if jwt is None else jwt[1], _decode_seed(line[1]))


def format_public_key(key: bytes) -> str:
    """Return a user's public key, of 32 bytes, as NATS writes it: `U...`."""
    raw = bytes([_USER]) + key
    return base64.b32encode(raw + _check_sum(raw)).decode().rstrip("=")


def _decode_seed(line: str) -> bytes:
    # 58 letters are 36 bytes and two bits: kind and kind of the key in two, the key, the sum.
    raw = base64.b32decode(line + "=" * (-len(line) % 8))
    kind, user = raw[0] & 0xF8, (raw[0] & 0x07) << 5 | raw[1] >> 3
    if (kind, user) != (_SEED, _USER) or _check_sum(raw[:-2]) != raw[-2:]:
        raise SetupError("its seed is damaged: the check sum does not fit")
    return raw[2 : 2 + _SIZE]


def _check_sum(raw: bytes) -> bytes:
    """Return the CRC-16 of XMODEM, which nkeys end with."""
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")
