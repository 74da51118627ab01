"""nats-py's client, with each way in which a connection breaks taken for its loss.

nats-py expects an OSError or an error of its own there. uvloop has RuntimeErrors where something is written to a
connection that is gone, and what no broker says makes nats-py's own reading fail with whatever Python has for that.
"""

import asyncio
from typing import Any, cast

import nats.errors
from nats.aio.client import Client
from nats.aio.transport import TcpTransport


class SteadyTransport(TcpTransport):
    """Leaves out what is written to a connection that is gone. Reading and draining tell of that.

    Attributes:
        leaving: whether it is being closed. Draining that fails would leave that half done, with tasks that go on.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nats-py has no types there
        self.leaving = False

    def __bool__(self) -> bool:
        # nats-py makes one of its own where this one is false.
        return True

    @property
    def writer(self) -> asyncio.StreamWriter:
        """What it writes to, once it was connected."""
        return cast("asyncio.StreamWriter", self._io_writer)

    def write(self, payload: bytes) -> None:
        """Send bytes, if there is somewhere to send them to."""
        if self._io_writer is not None and not self._io_writer.is_closing():
            self._io_writer.write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        """The same of several."""
        self.write(b"".join(payload))

    async def drain(self) -> None:
        """Wait until the connection takes more."""
        try:
            if self._io_writer is not None:
                await self._io_writer.drain()
        except OSError:
            if not self.leaving:
                raise


class SteadyClient(Client):
    """nats-py's client on such a transport."""

    def __init__(self) -> None:
        super().__init__()
        self.transport = SteadyTransport()
        self._transport = self.transport

    def renew_transport(self) -> asyncio.StreamWriter | None:
        """Go on with a transport that was never connected, and return what the one before wrote to, if it was."""
        writer: asyncio.StreamWriter | None = self.transport._io_writer  # noqa: SLF001  # None where it was not
        self._transport = self.transport = SteadyTransport()
        return writer

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except (nats.errors.Error, OSError):
            raise
        except Exception as error:
            raise nats.errors.Error(f"what answers is no NATS server: {error!r}") from error

    async def _close(self, status: Any, do_cbs: bool = True) -> None:
        self.transport.leaving = True
        try:
            await super()._close(status, do_cbs)
        finally:
            self.transport.leaving = False
