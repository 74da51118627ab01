"""The load generator under test (`loadtest/loadgen`), and servers that send it exactly what a test wants."""

import json
import os
import shutil
import signal
import subprocess
from asyncio import StreamReader, StreamWriter, start_server
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

LOADTEST = Path(__file__).parents[2] / "loadtest"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nX-Other: 1\r\n\r\n"

Script = Callable[[bytes, StreamWriter], Awaitable[None]]
"""Answers one request, given up to its empty line. What it does not close stays open until the client goes."""


def build_program(name: str, folder: Path) -> Path:
    """Build one of the C programs into the folder. Skips the test without a compiler, unless CI is set."""
    missing = [tool for tool in ("gcc", "make") if shutil.which(tool) is None]
    if missing:
        message = f"{' and '.join(missing)} missing: apt-get install gcc make libc6-dev"
        if os.environ.get("CI", "") not in {"", "0", "false"}:
            pytest.fail(message)
        pytest.skip(message)
    command = ["make", "--silent", "-C", str(LOADTEST / name), f"BUILD={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / name


class Loadgen:
    """One run of loadgen that a test controls."""

    def __init__(self, process: Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    async def hear(self, expected: str) -> None:
        """Return when it has printed this line; anything else is a failure."""
        assert self._process.stdout
        line = (await self._process.stdout.readline()).decode().strip()
        if line != expected:
            if self._process.returncode is None:
                self._process.kill()
            pytest.fail(f"heard {line!r} instead of {expected!r}; {await self._read_error()}")

    async def say(self, command: str) -> None:
        """Send a command."""
        assert self._process.stdin
        self._process.stdin.write(command.encode() + b"\n")
        await self._process.stdin.drain()

    async def stop(self) -> dict[str, Any]:
        """Send `stop` and return the result."""
        await self.say("stop")
        return await self.wait()

    async def wait(self) -> dict[str, Any]:
        """Return the result when it has ended by itself."""
        status = await self._process.wait()
        assert status == 0, await self._read_error()
        result: dict[str, Any] = json.loads((self._folder / "out.json").read_text())
        return result

    async def fail(self) -> tuple[int, str]:
        """Return exit status and standard error of one that fails."""
        return await self._process.wait(), await self._read_error()

    async def freeze(self) -> None:
        """Return when the process stands still; what arrives now it will find all at once."""
        self._process.send_signal(signal.SIGSTOP)
        while not is_stopped(self._process.pid):  # noqa: ASYNC110 - the kernel's table cannot be waited for
            await anyio.sleep(0.01)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    async def _read_error(self) -> str:
        assert self._process.stderr
        return (await self._process.stderr.read()).decode()

    def read_sequences(self) -> list[dict[str, str]]:
        """Return the lines that `--sequences sequences.tsv` wrote."""
        heading, *lines = (self._folder / "sequences.tsv").read_text().splitlines()
        return [dict(zip(heading.split("\t"), line.split("\t"), strict=True)) for line in lines]


class LoadgenFactory:
    """Starts loadgens in a folder of their own. `control` is off where it should end by itself."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder

    @asynccontextmanager
    async def __call__(
        self,
        *ports: int,
        count: int = 1,
        options: Sequence[object] = (),
        request: str = "GET / HTTP/1.1\nHost: test\n\n",
        columns: str = "",
        control: bool = True,
    ) -> AsyncIterator[Loadgen]:
        """Run one against these ports; it is gone on exit."""
        (self._folder / "request").write_text(request)
        targets = ",".join(f"127.0.0.1:{port}" for port in ports)
        arguments: list[object] = ["--target", targets, "--request-file", "request", "--count", count]
        arguments += ["--out", "out.json", *options]
        if control:
            arguments += ["--control", "-"]
        if columns:
            (self._folder / "columns").write_text(columns)
            arguments += ["--columns", "columns"]
        process = await create_subprocess_exec(
            self._program, *map(str, arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=self._folder
        )
        try:
            yield Loadgen(process, self._folder)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@asynccontextmanager
async def serve(script: Script) -> AsyncIterator[int]:
    """A server on a free port, which it yields, where the script answers each request."""
    writers: set[StreamWriter] = set()

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        writers.add(writer)
        try:
            await script(await reader.readuntil(b"\r\n\r\n"), writer)
            await reader.read()
        except ConnectionError:
            pass  # the client may go in the midst of anything
        finally:
            writers.discard(writer)
            writer.close()

    server = await start_server(answer, "127.0.0.1", 0, backlog=4096)
    try:
        port: int = server.sockets[0].getsockname()[1]
        yield port
    finally:
        server.close()
        for writer in list(writers):
            writer.transport.abort()


def is_stopped(pid: int) -> bool:
    """Return whether SIGSTOP has reached this process."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def count_read(port: int) -> int:
    """Return how many clients of this server have read all that it sent to them so far."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" and line[4].endswith(":00000000") for line in lines)


async def wait_read(port: int, clients: int) -> None:
    """Return when so many clients of this server have read all that it sent."""
    while count_read(port) < clients:  # noqa: ASYNC110 - the kernel's table cannot be waited for
        await anyio.sleep(0.01)
