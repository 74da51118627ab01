"""nats-py's client, as a connection needs it."""

import ssl
from typing import Any

import nats.errors
from tailrace_protocol.errors import SetupError

from tailrace_producer.commands import FIRST_SUBSCRIPTION, Commands
from tailrace_producer.login import UNWELCOME, Login
from tailrace_producer.steady import SteadyClient


class BrokerClient(SteadyClient):
    """nats-py's client, but for two things.

    What comes for `commands` goes past its queues and tasks. And it logs in anew for each connection, in the clear only
    where that is wanted: nats-py takes a broker without TLS for one whatever the URL says.
    """

    def __init__(self, commands: Commands, login: Login) -> None:
        super().__init__()
        self._commands = commands
        self._login = login

    def _setup_server_pool(self, connect_url: list[str]) -> None:
        super()._setup_server_pool(connect_url)
        # Brokers that were discovered have addresses, and certificates as a rule the name that the first one was given.
        name = self._server_pool[0].uri.hostname
        for server in self._server_pool:
            if not self._host_is_ip(name) and self._host_is_ip(server.uri.hostname):
                server.tls_name = name

    @property
    def ssl_context(self) -> ssl.SSLContext:
        try:
            return self._login.make_context()
        except SetupError as error:
            raise nats.errors.Error(str(error)) from None

    async def _process_connect_init(self) -> None:
        try:
            await super()._process_connect_init()
        except BaseException as error:
            # After a handshake that failed, nats-py would wait without end for what was never begun to close.
            writer = self.renew_transport()
            if writer is not None:
                encrypted = writer.get_extra_info("ssl_object") is not None
                writer.transport.abort()
                # What the broker has to say of a certificate may be lost with the connection.
                if encrypted and isinstance(error, ConnectionError):
                    raise nats.errors.Error(UNWELCOME) from error
            raise

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        wanted = self._login.encrypted or (self._current_server and self._current_server.uri.scheme == "tls")
        if initial_connection and wanted:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise nats.errors.Error("the broker has no TLS, and nothing is sent in the clear")
            info["tls_required"] = True
        await super()._process_info(info, initial_connection)

    def _connect_command(self) -> bytes:
        if self._login.credentials and "nonce" in self._server_info:
            try:
                proof = self._login.prove(self._server_info["nonce"])
            except SetupError as error:
                raise nats.errors.Error(str(error)) from None
            self._signature_cb = lambda _nonce: proof.signature
            self._user_jwt_cb = (lambda: proof.jwt) if proof.jwt else None
            self._public_nkey = proof.public_key
        return super()._connect_command()

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        if sid >= FIRST_SUBSCRIPTION:
            self._commands.take(sid, reply, data)
        else:
            await super()._process_msg(sid, subject, reply, data, headers)
