"""The log as JetStream holds it, read past every edge and every library of Tailrace."""

import json
from typing import Any

import nats
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy
from tailrace_protocol.errors import InvalidInput
from tailrace_protocol.events import DELETED, decode_stored
from tailrace_protocol.positions import derive_epoch
from tailrace_protocol.stream import GENERATION_KEY, STREAM
from tailrace_protocol.topics import parse_subject

from history.log import Log, Stored

_TIMEOUT = 5.0


async def read_log(nats_url: str, tenant: str, published: dict[str, str] | None = None) -> Log:
    """Return what the stream's leader holds for a tenant.

    Args:
        nats_url: of the broker, or several separated by commas.
        tenant: whose events.
        published: topics by the event ids that producers got; what of these is no longer stored was removed.

    Raises:
        nats.errors.Error: the broker does not answer.
    """
    client = await nats.connect(nats_url.split(","))
    try:
        info = await _request(client, f"STREAM.INFO.{STREAM}")
        generation = int(info["config"].get("metadata", {}).get(GENERATION_KEY, 0))
        epoch = derive_epoch(STREAM, info["created"], generation)
        stored: list[Stored] = []
        following = 1
        while (found := await _read_on(client, following)) is not None:
            messages, following = found
            stored += [event for owner, event in messages if owner == tenant]
        removed = [Stored(int(key.partition("-")[2]), topic) for key, topic in (published or {}).items()]
        return Log(epoch, stored, removed=removed)
    finally:
        await client.close()


async def _read_on(client: Client, following: int) -> tuple[list[tuple[str, Stored]], int] | None:
    """Return what comes from a sequence on, and what follows it; None at the end.

    A consumer may be on a replica that lags, and gives no sign of it: only the leader knows whether there is more.
    """
    answer = await _request(client, f"STREAM.MSG.GET.{STREAM}", {"seq": following, "next_by_subj": ">"})
    if "error" in answer:
        return None
    config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=following)
    subscription = await client.jetstream().subscribe("events.>", ordered_consumer=True, config=config)
    messages: list[tuple[str, Stored]] = []
    try:
        pending = 1
        while pending:
            message = await subscription.next_msg(timeout=_TIMEOUT)
            sequence = message.metadata.sequence.stream
            pending = message.metadata.num_pending
            following = sequence + 1
            if (parsed := _parse(message.subject)) is not None:
                tombstone = decode_stored(message.data, 0).type == DELETED
                messages.append((parsed[0], Stored(sequence, parsed[1], tombstone)))
    except nats.errors.TimeoutError:
        pass  # what is missing is asked for again
    finally:
        await subscription.unsubscribe()
    return messages, following


def _parse(subject: str) -> tuple[str, str] | None:
    try:
        return parse_subject(subject)
    except InvalidInput:
        return None  # a foreign writer's; no client gets it


async def _request(client: Client, call: str, body: Any = None) -> dict[str, Any]:
    payload = b"" if body is None else json.dumps(body).encode()
    answer: dict[str, Any] = json.loads((await client.request(f"$JS.API.{call}", payload, timeout=_TIMEOUT)).data)
    if "error" in answer and answer["error"].get("code") != 404:
        raise nats.errors.Error(f"JetStream answered {call} with {answer['error'].get('description')!r}")
    return answer
