import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tailrace_protocol.errors import MalformedStream
from tailrace_protocol.sse import HEARTBEAT, MAX_EVENT_BYTES, SseDecoder, SseEvent, encode_sse

CASES = json.loads((Path(__file__).parents[1] / "conformance" / "sse_cases.json").read_text())["cases"]

FRAGMENTS = [
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b":", b": ", b" ", b"\t", b"\0", b"x"),
    *(b"data", b"data:", b"data: ", b"data:a\n", b"data: b\n\n", b"Data:c", b"data :d"),
    *(b"id", b"id:", b"id: 1\n", b"id:2\r\r", b"event", b"event:", b"event: e\n"),
    *(b"retry", b"retry:", b"retry: 15\n", b"retry:9x\n", b"\xd9\xa3", b"0", b"7"),
    *(b"\xef", b"\xbb", b"\xbf", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xc2\x85", b"\x0b", b"\x0c", b"\x1e"),
    *(b"\xff", b"\xc3", b"\xa9", b"\xf0\x9f\x98", b"\x80", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90", HEARTBEAT),
]

STREAMS = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map(b"".join)
CHUNKS = st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=6).map(b"".join), max_size=20)

End = tuple[list[SseEvent], str, int | None]


def decode(chunks: Iterable[bytes]) -> End:
    decoder = SseDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return events, decoder.last_event_id, decoder.retry


def cut(stream: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    start = 0
    for end in sorted(cuts):
        yield stream[start:end]
        start = end
    yield stream[start:]


def reference(stream: bytes) -> End:
    """The standard's algorithm, word for word, on the whole text at once (HTML Living Standard, 9.2.6)."""
    text = stream.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    events, last_event_id, retry = [], "", None
    data_buffer, event_type_buffer, last_event_id_buffer = "", "", ""
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        if line == "":
            last_event_id = last_event_id_buffer
            if data_buffer != "":
                data = data_buffer[:-1] if data_buffer[-1] == "\n" else data_buffer
                events.append(SseEvent(event_type_buffer or "message", data, last_event_id))
            data_buffer, event_type_buffer = "", ""
            continue
        if line[0] == ":":
            continue
        field, value = line.split(":", 1) if ":" in line else (line, "")
        value = value[1:] if value[:1] == " " else value
        if field == "event":
            event_type_buffer = value
        elif field == "data":
            data_buffer += value + "\n"
        elif field == "id" and "\0" not in value:
            last_event_id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events, last_event_id, retry


def expand_chunk(chunk: str | dict[str, Any]) -> bytes:
    return bytes.fromhex(chunk) if isinstance(chunk, str) else bytes.fromhex(chunk["hex"]) * chunk["times"]


def expand_data(data: str | dict[str, Any]) -> str:
    return data if isinstance(data, str) else str(data["text"]) * int(data["times"]) + str(data.get("then", ""))


def expected_end(case: dict[str, Any]) -> End:
    events = [SseEvent(event["event"], expand_data(event["data"]), event["lastEventId"]) for event in case["events"]]
    return events, case["lastEventId"], case["retry"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
class TestConformance:
    def test_as_given(self, case: dict[str, Any]) -> None:
        assert decode(map(expand_chunk, case["chunks"])) == expected_end(case)

    def test_byte_by_byte(self, case: dict[str, Any]) -> None:
        stream = b"".join(map(expand_chunk, case["chunks"]))

        assert decode(stream[i : i + 1] for i in range(len(stream))) == expected_end(case)

    def test_in_one_piece(self, case: dict[str, Any]) -> None:
        assert decode([b"".join(map(expand_chunk, case["chunks"]))]) == expected_end(case)

    def test_with_empty_chunks_between(self, case: dict[str, Any]) -> None:
        chunks = [part for chunk in case["chunks"] for part in (b"", expand_chunk(chunk), b"")]

        assert decode(chunks) == expected_end(case)


def test_conformance_cases_are_many_and_differ() -> None:
    assert len(CASES) >= 45
    assert len({case["name"] for case in CASES}) == len(CASES)
    assert len({json.dumps(case["chunks"]) for case in CASES}) == len(CASES)


@given(CHUNKS)
@example([b"data: 1\r", b"", b"\n\r", b"\n"])
@example([b"\xef\xbb", b"\xbf", b"\xef\xbb\xbf"])
def test_decoder_agrees_with_the_standards_algorithm(chunks: list[bytes]) -> None:
    assert decode(chunks) == reference(b"".join(chunks))


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12))
def test_any_chunking_gives_the_same_events(stream: bytes, cuts: list[int]) -> None:
    assert decode(cut(stream, cuts)) == decode([stream])


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_read_as_the_standard_reads_them(chunks: list[bytes]) -> None:
    assert decode(chunks) == reference(b"".join(chunks))


ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))
ENCODED = st.tuples(
    ONE_LINE.filter(bool),
    ONE_LINE,
    st.none() | st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    st.none() | st.integers(0, 10**15 - 1),
)


@given(st.lists(ENCODED, max_size=6), st.lists(st.integers(0, 400), max_size=6))
def test_what_the_encoder_writes_the_decoder_reads(
    events: list[tuple[str, str, str | None, int | None]], cuts: list[int]
) -> None:
    expected, last_event_id, last_retry = [], "", None
    for event, data, event_id, retry in events:
        last_event_id = last_event_id if event_id is None else event_id
        last_retry = last_retry if retry is None else retry
        expected.append(SseEvent(event, data, last_event_id))
    stream = HEARTBEAT.join(
        encode_sse(event, data.encode(), event_id, retry) for event, data, event_id, retry in events
    )

    assert decode(cut(stream, cuts)) == (expected, last_event_id, last_retry)


def test_encoder_writes_the_profile_that_every_client_reads() -> None:
    assert encode_sse("progress", b'{"a":1}', "5f2c91ab-1842", 2000) == (
        b'retry: 2000\nid: 5f2c91ab-1842\nevent: progress\ndata: {"a":1}\n\n'
    )
    assert encode_sse("tailrace", b"{}") == b"event: tailrace\ndata: {}\n\n"
    assert encode_sse("x", b"1", "", 0) == b"retry: 0\nid: \nevent: x\ndata: 1\n\n"
    assert HEARTBEAT == b": hb\n"


def test_a_long_line_is_gathered_in_place() -> None:
    # Joining anew for each chunk would copy the line as often as it has chunks.
    decoder = SseDecoder()
    decoder.feed(b"data: ")
    buffer = decoder._rest
    for _ in range(10_000):
        decoder.feed(b"x" * 100)

        assert decoder._rest is buffer

    assert isinstance(buffer, bytearray)
    assert decoder.feed(b"\n\n") == [SseEvent("message", "x" * 1_000_000, "")]


def test_retry_is_bounded_and_exact() -> None:
    decoder = SseDecoder()
    decoder.feed(b"retry: %s\n" % (b"9" * 100_000))

    assert decoder.retry == 999_999_999_999_999


def outcome(chunks: Iterable[bytes], max_event_bytes: int) -> tuple[list[str], str, bool]:
    """The data of the events that came, the id to resume from, and whether the stream was refused."""
    decoder = SseDecoder(max_event_bytes=max_event_bytes)
    data: list[str] = []
    try:
        for chunk in [*chunks, b""]:
            data += [event.data for event in decoder.feed(chunk)]
    except MalformedStream:
        return data, decoder.last_event_id, True
    return data, decoder.last_event_id, False


@pytest.mark.parametrize(
    "stream",
    [
        b"id: 1\ndata: a\n\nid: 2\ndata: xxxxxxxxxxxxxxxx\n\nid: 3\ndata: b\n\n",
        b"id: 1\ndata: a\n\nid: 2\ndata: xxxx\ndata: xxxx\ndata: xxxx\n\nid: 3\ndata: b\n\n",
        b"id: 1\ndata: a\n\nid: 2\ndata: xxxxxxxxxxxxxxxx",
        b"id: 1\ndata: a\n\n: comment without an end",
        b"id: 1\ndata: a\n\nevent: xxxxxxxxxxxxxxxxxxxx\nid: 2\ndata: b\n\n",
    ],
    ids=["one line", "many lines", "no end", "a comment", "a name"],
)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_an_event_too_large_ends_the_stream_after_those_before_it(stream: bytes, step: int) -> None:
    chunks = [stream[i : i + step] for i in range(0, len(stream), step)]

    assert outcome(chunks, max_event_bytes=20) == (["a"], "1", True)


def test_an_event_of_the_largest_size_passes() -> None:
    stream = b"id: 123\ndata: %s\n\n" % (b"x" * 14)

    assert outcome([stream], max_event_bytes=20) == (["x" * 14], "123", False)
    assert outcome([stream], max_event_bytes=19) == ([], "", True)


def test_events_do_not_add_up() -> None:
    assert outcome([b"data: a\n\n" * 100], max_event_bytes=20) == (["a"] * 100, "", False)


def test_heartbeats_do_not_add_up() -> None:
    assert outcome([HEARTBEAT] * 1000 + [b"data: a\n\n"], max_event_bytes=20) == (["a"], "", False)


def test_the_default_limit_takes_whatever_the_log_takes() -> None:
    worst = b"\x01" * (1 << 20)  # each becomes \u0001 in JSON
    frame = encode_sse("message", json.dumps({"topic": "t" * 200, "data": worst.decode()}).encode(), "5f2c91ab-1")

    assert len(frame) < MAX_EVENT_BYTES
    assert len(decode([frame])[0]) == 1
