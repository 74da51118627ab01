"""How a connection to the broker is written to, in place of nats-py's way."""

import asyncio


class SteadyWriting:
    """Of a transport of nats-py: leaves out what is written to a connection that is gone.

    uvloop has a RuntimeError for that, past which nats-py does not connect again. Reading and draining tell of the
    loss too, by the OSErrors that nats-py expects.
    """

    _io_writer: asyncio.StreamWriter | None = None

    leaving = False
    """Whether it is being closed. Draining that fails would leave that half done, with tasks that go on."""

    def __bool__(self) -> bool:
        # nats-py makes one of its own where this one is false.
        return True

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
