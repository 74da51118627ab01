from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.errors import ServerError
from support.broker import Broker, connect, create_stream, request
from support.waiting import wait_until
from tailrace_protocol.stream import DUPLICATE_WINDOW, GENERATION_KEY, STREAM, build_stream_config, read_generation


async def create(client: Client, **settings: Any) -> dict[str, Any]:
    config = build_stream_config(**{"replicas": 1, "max_age": 3600} | settings)
    created: dict[str, Any] = (await request(client, f"STREAM.CREATE.{STREAM}", config))["config"]
    return created


async def test_a_broker_takes_the_configuration_as_it_is(bare_broker: Broker) -> None:
    await create_stream(bare_broker.url)
    async with await connect(bare_broker.url) as client:
        stored = (await request(client, f"STREAM.INFO.{STREAM}"))["config"]

    assert stored.items() >= build_stream_config(replicas=1, max_age=3600).items()
    assert not stored.get("republish")
    assert not stored["deny_purge"]
    assert not stored["deny_delete"]


async def test_running_it_again_is_safe(broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await client.jetstream().publish("events.acme.a", b"1")
        await create(client)
        await request(client, f"STREAM.UPDATE.{STREAM}", build_stream_config(replicas=1, max_age=3600))
        info = await request(client, f"STREAM.INFO.{STREAM}")

    assert info["state"]["messages"] == 1


async def test_settings_can_be_changed_later(broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await client.jetstream().publish("events.acme.a", b"1")
        for settings in ({"max_age": 60}, {"max_age": 86_400, "max_bytes": 1 << 30}, {"max_age": 0}):
            config = build_stream_config(**{"replicas": 1} | settings)
            stored = (await request(client, f"STREAM.UPDATE.{STREAM}", config))["config"]

            assert stored["max_age"] == settings["max_age"] * 10**9
            assert stored["max_bytes"] == settings.get("max_bytes", -1)
        info = await request(client, f"STREAM.INFO.{STREAM}")

    assert info["state"]["messages"] == 1


async def test_an_update_has_to_carry_over_the_generation(broker: Broker) -> None:
    config = build_stream_config(replicas=1, max_age=3600)
    async with await connect(broker.url) as client:
        kept = await request(client, f"STREAM.UPDATE.{STREAM}", config | {"metadata": {GENERATION_KEY: "1"}})
        lost = await request(client, f"STREAM.UPDATE.{STREAM}", config)

    assert kept["config"]["metadata"][GENERATION_KEY] == "1"
    assert GENERATION_KEY not in lost["config"].get("metadata", {})


@pytest.mark.parametrize(("max_age", "window"), [(3600, DUPLICATE_WINDOW), (60, 60), (120, 120)])
async def test_the_duplicate_window_is_never_longer_than_events_are_kept(
    bare_broker: Broker, max_age: float, window: float
) -> None:
    await create_stream(bare_broker.url, max_age=max_age)
    async with await connect(bare_broker.url) as client:
        stored = (await request(client, f"STREAM.INFO.{STREAM}"))["config"]

    assert stored["duplicate_window"] == window * 10**9


async def test_a_second_message_with_the_same_id_is_not_stored(broker: Broker) -> None:
    async with await connect(broker.url) as client:
        stream = client.jetstream()
        first = await stream.publish("events.acme.a", b"1", headers={"Nats-Msg-Id": "x"})
        second = await stream.publish("events.acme.a", b"1", headers={"Nats-Msg-Id": "x"})

    assert (first.seq, second.seq, second.duplicate) == (1, 1, True)


@pytest.mark.parametrize("scope", ["sub", "all"])
async def test_who_stores_an_event_removes_none(broker: Broker, scope: str) -> None:
    async with await connect(broker.url) as client:
        stream = client.jetstream()
        await stream.publish("events.acme.a", b"1")
        with pytest.raises(ServerError, match="rollup not permitted"):
            await stream.publish("events.acme.a", b"gone", headers={"Nats-Rollup": scope})
        info = await request(client, f"STREAM.INFO.{STREAM}", {"subjects_filter": ">"})

    assert info["state"]["subjects"] == {"events.acme.a": 1}


async def test_a_message_may_say_how_long_it_is_kept(broker: Broker) -> None:
    async with await connect(broker.url) as client:
        await client.jetstream().publish("events.acme.a", b"soon gone", headers={"Nats-TTL": "1s"})

        async def empty() -> bool:
            messages: int = (await request(client, f"STREAM.INFO.{STREAM}"))["state"]["messages"]
            return messages == 0

        await wait_until(empty)


async def test_messages_of_others_pass_up_to_1_mib(broker: Broker) -> None:
    async with await connect(broker.url) as client:
        stored = await client.jetstream().publish("events.acme.a", b"x" * ((1 << 20) - 1024))

    assert stored.seq == 1


def test_a_generation_that_is_none_counts_as_the_first() -> None:
    """Edges and producers have to agree on the epoch, whatever somebody wrote into the metadata."""
    assert read_generation({GENERATION_KEY: "3"}) == 3
    for text in ("", "x", "-1", "1.5", "²", "9" * 5000):
        assert read_generation({GENERATION_KEY: text}) == 0
    assert read_generation({}) == 0
