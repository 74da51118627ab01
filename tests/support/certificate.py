"""Certificates that servers of tests show, and those who sign them."""

import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


def make_certificate(folder: Path) -> tuple[str, str]:
    """Return the files of a certificate for 127.0.0.1, and its key."""
    names = str(folder / "certificate.pem"), str(folder / "key.pem")
    _openssl("req", "-x509", *_KEY, "-subj", "/CN=edge", "-addext", _NAMES, "-out", names[0], "-keyout", names[1])
    return names


class Authority:
    """Signs certificates. `ca` is the file of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca = str(folder / "ca.pem")
        self._key = str(folder / "ca.key")
        usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _openssl("req", "-x509", *_KEY, "-subj", "/CN=authority", *usage, "-out", self.ca, "-keyout", self._key)

    def sign(self, folder: Path, name: str) -> tuple[str, str]:
        """Return the files of a certificate for this machine, and its key."""
        names = str(folder / f"{name}.pem"), str(folder / f"{name}.key")
        whose = ["-subj", f"/CN={name}", "-addext", _NAMES, "-CA", self.ca, "-CAkey", self._key]
        _openssl("req", "-x509", *_KEY, *whose, "-out", names[0], "-keyout", names[1])
        return names


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments, "-days", "2"], check=True, capture_output=True)
