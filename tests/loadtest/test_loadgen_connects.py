"""How the load generator connects, and when it measures."""

from asyncio import StreamWriter

import anyio
import pytest
from loadtest.scripts import NUMBERED, make_chunk, make_event, number_of, send
from support.broker import pick_ports
from support.loadgen import CHUNKED_HEAD, HEAD, LoadgenFactory, serve, wait_read


async def test_failed_connects_are_told_apart(loadgen: LoadgenFactory) -> None:
    responses = [HEAD, b"HTTP/1.1 503 Busy\r\n\r\nno", b"SSH-2.0-OpenSSH\r\n\r\n", b""]

    async def script(request: bytes, writer: StreamWriter) -> None:
        writer.write(responses[number_of(request) % 5])
        if number_of(request) == 3:
            writer.close()

    async with serve(script) as port:
        targets = [port, port, port, port, pick_ports(1)[0]]
        async with loadgen(*targets, count=5, request=NUMBERED) as run:
            await run.hear("connected")
            result = await run.stop()
    connects = result["connects"]
    assert connects["by_status"] == {"200": 1, "503": 1}
    assert {name: connects[name] for name in ("ok", "failed", "refused", "reset", "timeout", "other", "pending")} == {
        "ok": 1, "failed": 4, "refused": 1, "reset": 1, "timeout": 0, "other": 1, "pending": 0
    }  # fmt: skip
    assert result["window"]["ended_by"] == "stop"


async def test_a_server_that_does_not_answer_times_out(loadgen: LoadgenFactory) -> None:
    async with serve(send()) as port, loadgen(port, count=2, options=["--connect-timeout", 0.1]) as run:
        await run.hear("connected")
        result = await run.stop()
    assert (result["connects"]["timeout"], result["connects"]["failed"]) == (2, 2)


async def test_in_flight_bounds_the_unanswered(loadgen: LoadgenFactory) -> None:
    unanswered = most = 0

    async def script(_request: bytes, writer: StreamWriter) -> None:
        nonlocal unanswered, most
        unanswered += 1
        most = max(most, unanswered)
        await anyio.sleep(0.02)  # time for more to come, if they do
        unanswered -= 1
        writer.write(HEAD)

    async with serve(script) as port, loadgen(port, count=40, options=["--in-flight", 4]) as run:
        await run.hear("connected")
        result = await run.stop()
    assert most <= 4
    assert result["connects"]["ok"] == 40


async def test_streams_that_the_server_ends_are_counted(loadgen: LoadgenFactory) -> None:
    """Also when the end comes along with the last bytes."""
    frozen = anyio.Event()
    ended = 0

    async def script(request: bytes, writer: StreamWriter) -> None:
        nonlocal ended
        plain = number_of(request) == 0
        writer.write(HEAD if plain else CHUNKED_HEAD)
        await frozen.wait()
        writer.write(make_event(1) if plain else make_chunk(make_event(1)) + b"0\r\n\r\n")
        if plain:
            writer.close()
            await writer.wait_closed()
        ended += 1

    async with serve(script) as port, loadgen(port, count=2, request=NUMBERED, options=["--expect", 2]) as run:
        await run.hear("connected")
        await run.freeze()
        frozen.set()
        while ended < 2:  # noqa: ASYNC110 - a counter is the condition
            await anyio.sleep(0.01)
        run.thaw()
        await run.hear("done")
        result = await run.stop()
    assert (result["closed_early"], result["events"]["total"]) == (2, 2)
    assert (result["expected"]["clients"], result["expected"]["short"]) == (2, 2)
    assert result["window"]["ended_by"] == "all-closed"


async def test_requests_are_templates(loadgen: LoadgenFactory) -> None:
    requests: list[list[str]] = []

    async def script(request: bytes, writer: StreamWriter) -> None:
        requests.append(request.decode().split("\r\n"))
        writer.write(HEAD)

    template = "GET /{i}?user={a}&{z} HTTP/1.1\r\nHost: {b}"
    columns = "ada\tone\t5-1\nbob\ttwo\t5-2\n"
    async with serve(script) as port:
        options = ["--last-event-id", "{c}", "--in-flight", 1]
        async with loadgen(port, count=3, request=template, columns=columns, options=options) as run:
            await run.hear("connected")
            await run.stop()
    assert requests == [
        ["GET /0?user=ada&{z} HTTP/1.1", "Last-Event-ID: 5-1", "Host: one", "", ""],
        ["GET /1?user=bob&{z} HTTP/1.1", "Last-Event-ID: 5-2", "Host: two", "", ""],
        ["GET /2?user=ada&{z} HTTP/1.1", "Last-Event-ID: 5-1", "Host: one", "", ""],
    ]


# ---- The window ----


async def test_mark_forgets_what_was_measured_but_not_what_was_missed(loadgen: LoadgenFactory) -> None:
    writers: list[StreamWriter] = []

    async def script(_request: bytes, writer: StreamWriter) -> None:
        writer.write(HEAD + make_event(1) + make_event(3))
        writers.append(writer)

    async with serve(script) as port, loadgen(port, options=["--until-events", 2]) as run:
        await run.hear("connected")
        await run.hear("done")
        writers[0].write(make_event(4))
        await wait_read(port, 1)
        await run.say("mark")
        await run.hear("marked")
        writers[0].write(make_event(5) + make_event(6))
        await run.hear("done")
        await run.say("expect 5")
        result = await run.stop()
    assert (result["events"]["total"], sum(result["series"]["events"])) == (2, 2)
    assert result["faults"]["losses"] == 1
    assert result["window"]["ended_by"] == "until-events"
    assert result["expected"]["complete"] == 1


async def test_the_window_may_begin_after_a_warm_up(loadgen: LoadgenFactory) -> None:
    writers: list[StreamWriter] = []

    async def script(_request: bytes, writer: StreamWriter) -> None:
        writer.write(HEAD + make_event(1) + make_event(2))
        writers.append(writer)

    async with serve(script) as port, loadgen(port, options=["--warmup-events", 2, "--until-events", 3]) as run:
        await run.hear("connected")
        await wait_read(port, 1)
        writers[0].write(b"".join(make_event(n) for n in (3, 4, 5)))
        await run.hear("done")
        result = await run.stop()
    assert (result["events"]["total"], result["faults"]["losses"]) == (3, 0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--until-events", 5], "until-events"),
        (["--expect", 5, "--until-expected"], "until-expected"),
        (["--seconds", 0.1], "seconds"),
    ],
)
async def test_without_a_control_it_ends_by_itself(loadgen: LoadgenFactory, options: list[object], reason: str) -> None:
    events = b"".join(map(make_event, range(1, 6)))
    async with serve(send(HEAD + events)) as port, loadgen(port, options=options, control=False) as run:
        result = await run.wait()
    assert (result["window"]["ended_by"], result["events"]["total"]) == (reason, 5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--until-expected"], "--until-expected needs --expect"),
        (["--slow", "3:10"], "--live and --slow together are more than --count"),
        (["--count", "many"], '--count: "many" is not a whole number'),
        (["--target", "localhost:80"], '--target: "localhost:80" is not an IPv4 address and a port'),
        (["--slow", "1:0"], "0 bytes a second is no reader"),
        (["--expect", "{a}"], '--expect: "{a}" for connection 0 is not a number'),
        (["--count", 10**9], "the file limit of"),
        (["extra"], '"extra" is not an option'),
        (["--nonsense"], "unrecognized option"),
    ],
)
async def test_wrong_options_are_explained(loadgen: LoadgenFactory, options: list[object], reason: str) -> None:
    async with loadgen(1, options=options) as run:
        status, message = await run.fail()
    assert status == 2
    assert reason in message


async def test_an_unknown_command_is_explained(loadgen: LoadgenFactory) -> None:
    async with serve(send(HEAD)) as port, loadgen(port) as run:
        await run.say("dance")
        status, message = await run.fail()
    assert (status, message) == (
        2, 'loadgen: control: "dance" is none of mark, connect, fast, expect N, stop\n'
    )  # fmt: skip
