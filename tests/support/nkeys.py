"""Users of NATS that sign their logins: keys, JWTs and the files in which users keep them."""

import base64
import binascii
import hashlib
import time
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KINDS = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
_SEED = 18 << 3

_UNLIMITED = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1) | {"wildcards": True}
_STORAGE = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)


class Nkey:
    """A key of an operator, an account or a user."""

    def __init__(self, kind: str) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._kind = KINDS[kind]
        self.public = _encode(bytes([self._kind]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        prefix = bytes([_SEED | self._kind >> 5, (self._kind & 31) << 3])
        return _encode(prefix + self._key.private_bytes_raw())

    def sign(self, subject: str, name: str, claims: dict[str, Any]) -> str:
        """Return a JWT of this key for another, as nsc makes it."""
        body = {
            "iat": int(time.time()),
            "iss": self.public,
            "name": name,
            "sub": subject,
            "nats": {"version": 2} | claims,
        }
        body["jti"] = base64.b32encode(hashlib.sha256(msgspec.json.encode(body)).digest()).decode().rstrip("=")
        parts = [msgspec.json.encode(part) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body)]
        text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        signature = base64.urlsafe_b64encode(self._key.sign(text.encode())).decode().rstrip("=")
        return f"{text}.{signature}"


class Operator:
    """An operator with one account that has JetStream. `config` is what nats-server is told of them."""

    def __init__(self) -> None:
        key, system = Nkey("operator"), Nkey("account")
        self._account = Nkey("account")
        accounts = [(system, "SYS", _UNLIMITED), (self._account, "APP", _UNLIMITED | _STORAGE)]
        preloaded = "".join(
            f"  {account.public}: {key.sign(account.public, name, {'type': 'account', 'limits': limits})}\n"
            for account, name, limits in accounts
        )
        self.config = (
            f"operator: {key.sign(key.public, 'operator', {'type': 'operator'})}\n"
            f"system_account: {system.public}\n"
            f"resolver: MEMORY\nresolver_preload {{\n{preloaded}}}\n"
        )

    def add_user(self, path: Path, *, publish: list[str], subscribe: list[str]) -> str:
        """Write the `.creds` file of a user that may do this alone, and return its path."""
        user = Nkey("user")
        allowed = {"pub": {"allow": publish}, "sub": {"allow": subscribe}}
        limits = {"subs": -1, "data": -1, "payload": -1}
        jwt = self._account.sign(user.public, path.stem, {"type": "user"} | limits | allowed)
        path.write_text(
            f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
            "************************* IMPORTANT *************************\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
        )
        return str(path)


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")
