"""Logins: how a producer proves to its broker who it is, and has the broker prove who that is.

Files are read anew for each connection, so that those that were renewed meanwhile count without a restart. Errors name
them without their folders. `tailrace_edge.login` is the same for edges.
"""

import base64
import os
import ssl
from pathlib import Path
from typing import NamedTuple

from tailrace_protocol.credentials import Credentials, format_public_key, parse_credentials
from tailrace_protocol.errors import SetupError

from tailrace_producer.settings import Settings

_NOT_FOUND = {18, 19, 20, 21}
"""What OpenSSL says of a certificate whose signer is not known."""

UNWELCOME = (
    "the broker ended the connection after the handshake: it may want another certificate, in TAILRACE_NATS_CERT"
)


class Proof(NamedTuple):
    """What lets a user in.

    Attributes:
        jwt: of the user; empty for a plain nkey.
        public_key: of the user, as NATS writes it.
        signature: of what the broker asked, in base64.
    """

    jwt: bytes
    public_key: str
    signature: bytes


class Login(NamedTuple):
    """The paths of a login's files, and where answers come; empty where there is none.

    Attributes:
        ca: certificates in PEM, of those who sign the broker's; the system's by default.
        cert: own certificate in PEM.
        key: its key, by default in the same file.
        credentials: a `.creds` file, or the seed of a user's nkey.
        inbox_prefix: subject below which answers come; by default `_INBOX_<user>` for the user in the URL.
        tls: how TLS is done, in place of the first three.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    credentials: str = ""
    inbox_prefix: str = ""
    tls: ssl.SSLContext | None = None

    @property
    def encrypted(self) -> bool:
        """Whether the connection has to be, whatever its URL says."""
        return bool(self.ca or self.cert or self.tls)

    def check(self) -> None:
        """Read all files once.

        Raises:
            SetupError: one cannot be read, or is not what it has to be.
        """
        if self.ca or self.cert or self.key:
            self.make_context()
        if self.credentials:
            self.prove("")

    def make_context(self) -> ssl.SSLContext:
        """Return how TLS is done.

        Raises:
            SetupError: as `check`.
        """
        if self.tls is not None:
            return self.tls
        context = self._trust()
        if self.cert:
            self._show(context)
        elif self.key:
            raise SetupError("TAILRACE_NATS_KEY is the key of a certificate: set TAILRACE_NATS_CERT, too")
        return context

    def prove(self, nonce: str) -> Proof:
        """Return the answer to what the broker asked.

        Raises:
            SetupError: as `check`.
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  # an extra
        except ImportError:
            raise SetupError("signing a login needs cryptography: pip install 'tailrace-producer[nkeys]'") from None
        credentials = self._read_credentials()
        key = Ed25519PrivateKey.from_private_bytes(credentials.seed)
        public_key = format_public_key(key.public_key().public_bytes_raw())
        return Proof(credentials.jwt.encode(), public_key, base64.b64encode(key.sign(nonce.encode())))

    def _trust(self) -> ssl.SSLContext:
        if not self.ca:
            return ssl.create_default_context()
        text = _read("TAILRACE_NATS_CA", self.ca)
        try:
            return ssl.create_default_context(cadata=text)
        except (ssl.SSLError, ValueError):
            raise SetupError(f"TAILRACE_NATS_CA: {Path(self.ca).name} has no certificates in PEM") from None

    def _show(self, context: ssl.SSLContext) -> None:
        _read("TAILRACE_NATS_CERT", self.cert)
        if self.key:
            _read("TAILRACE_NATS_KEY", self.key)
        try:
            # Without a passphrase here, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.cert, self.key or None, password=b"")
        except (ssl.SSLError, ValueError):
            names = " with ".join(Path(path).name for path in (self.cert, self.key) if path)
            raise SetupError(
                f"TAILRACE_NATS_CERT, TAILRACE_NATS_KEY: {names} is no certificate in PEM with its own key, "
                "without a passphrase"
            ) from None

    def _read_credentials(self) -> Credentials:
        text = _read("TAILRACE_NATS_CREDENTIALS", self.credentials)
        try:
            return parse_credentials(text)
        except SetupError as error:
            name = Path(self.credentials).name
            raise SetupError(f"TAILRACE_NATS_CREDENTIALS: {name} is no login: {error}") from None


def find_login(settings: Settings) -> Login:
    """Return the login of a producer: what its settings leave out, the environment says."""
    names = ("CA", "CERT", "KEY", "CREDENTIALS", "INBOX_PREFIX")
    ca, cert, key, credentials, inbox_prefix = (os.environ.get(f"TAILRACE_NATS_{name}", "") for name in names)
    found = Login(ca, cert, key, credentials, inbox_prefix)
    if settings.tls is not None:
        found = found._replace(ca="", cert="", key="", tls=settings.tls)
    if settings.credentials is not None:
        found = found._replace(credentials=str(settings.credentials))
    if settings.inbox_prefix is not None:
        found = found._replace(inbox_prefix=settings.inbox_prefix)
    return found


def explain(error: Exception) -> str:
    """Return why a connection was not made; nats-py has errors that say nothing, and OpenSSL says it in its own way."""
    match error:
        case ssl.SSLCertVerificationError():
            hint = "; TAILRACE_NATS_CA names the file of who signed it" if error.verify_code in _NOT_FOUND else ""
            return f"the broker's certificate is not trusted: {error.verify_message}{hint}"
        case ssl.SSLError() if "ALERT" in (error.reason or ""):
            return f"the broker wants another certificate, in TAILRACE_NATS_CERT: {error.reason}"
        case _:
            return str(error) or type(error).__name__


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise SetupError(f"{variable}: {Path(path).name} cannot be read: {error.strerror}") from None
