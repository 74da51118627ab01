"""nats-py's client, as an edge's connection needs it."""

from __future__ import annotations

import ssl
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from tailrace_protocol.errors import SetupError

from tailrace_edge.cancelling import heed_cancellation
from tailrace_edge.login import UNWELCOME, Login
from tailrace_edge.writing import SteadyWriting

_NOT_PERMITTED = "permissions violation"
"""In a complaint of the broker's after which the connection stands, as nats-py tells it, in small letters."""


class _Transport(SteadyWriting, TcpTransport):
    """nats-py's transport over TCP."""


class BrokerClient(Client):
    """nats-py's client, but for four things.

    Whatever breaks a connection is taken for its loss. It logs in anew for each connection. And it does so in the
    clear only where that is wanted: nats-py takes a broker without TLS for one whatever the URL says. Cancelling a task
    that asks ends it. One that connects may have to be cancelled again.
    """

    def __init__(self, login: Login, *, plain: bool) -> None:
        """Make a client.

        Args:
            login: at the broker, besides the user in the URL.
            plain: whether it connects over TCP, and not over WebSocket, for which nats-py has another transport.
        """
        super().__init__()
        self._login = login
        self._plain = plain
        self._renew_transport()

    def _renew_transport(self) -> None:
        self._steady = _Transport()  # type: ignore[no-untyped-call]  # nats-py has no types there
        self._transport = self._steady if self._plain else None

    async def request(self, *args: Any, **options: Any) -> Msg:
        """Ask as nats-py does."""
        return await heed_cancellation(super().request(*args, **options))

    @property
    def ssl_context(self) -> ssl.SSLContext:
        try:
            return self._login.make_context()
        except SetupError as error:
            raise NatsError(str(error)) from None

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except BaseException as error:
            writer = getattr(self._transport, "_io_writer", None)
            # After a handshake that failed, nats-py would wait without end for what was never begun to close.
            self._renew_transport()
            if writer is not None:
                encrypted = writer.get_extra_info("ssl_object") is not None
                writer.transport.abort()
                # What the broker has to say of a certificate may be lost with the connection.
                if encrypted and isinstance(error, ConnectionError):
                    raise NatsError(UNWELCOME) from error
            if isinstance(error, Exception) and not isinstance(error, NatsError | OSError):
                raise NatsError(f"what answers is no NATS server: {error!r}") from error
            raise

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        scheme = self._current_server.uri.scheme if self._current_server else ""
        if initial_connection and (scheme == "tls" or (self._login.encrypted and scheme != "wss")):
            if not (info.get("tls_required") or info.get("tls_available")):
                raise NatsError("the broker has no TLS, and nothing is sent in the clear")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    def _connect_command(self) -> bytes:
        if self._login.credentials and "nonce" in self._server_info:
            try:
                proof = self._login.prove(self._server_info["nonce"])
            except SetupError as error:
                raise NatsError(str(error)) from None
            self._signature_cb = lambda _nonce: proof.signature
            self._user_jwt_cb = (lambda: proof.jwt) if proof.jwt else None
            self._public_nkey = proof.public_key
        return super()._connect_command()

    async def _process_err(self, err_msg: str) -> None:
        if _NOT_PERMITTED in err_msg:
            await super()._process_err(err_msg)
            return
        # nats-py would never connect again, be it that the broker only has too many connections at the moment.
        error = NatsError(f"nats: {err_msg}")
        await self._error_cb(error)
        await self._process_op_err(error)

    async def _close(self, status: Any, do_cbs: bool = True) -> None:
        # Draining that fails would leave the closing half done, with tasks that go on.
        self._steady.leaving = True
        try:
            await super()._close(status, do_cbs)
        finally:
            self._steady.leaving = False
