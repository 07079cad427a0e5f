"""What gateways need of a broker, each tried on the broker itself (MQTT 5.0)."""

from __future__ import annotations

import asyncio

from simulators.conform.check import Bench, Check, Missed, Skipped, State
from simulators.conform.steps import (
    ENDED,
    KEPT,
    QUIET_S,
    WAIT_S,
    client,
    everything,
    numbered,
    published,
    seen_in,
    some,
    subscribed,
)
from simulators.mqtt5.connection import Gone
from simulators.mqtt5.packets import Prop, Properties, Publish, Will

UNHEARD, DENIED, TAKEN_OVER = 0x10, 0x87, 0x8E
HIST_BYTES = 60_000
"""Largest `hist` of the gateway, without its envelope."""
ORDERED = 200
EXPIRY_S = 1


async def version(bench: Bench) -> str:
    """Connect with MQTT 5 and tell what the broker says of itself."""
    async with client(bench, "version") as link:
        said = link.greeting.properties
        known = [p for p in Prop if p in said]
        return ", ".join(f"{p.name.lower()} {said[p]!r}" for p in known) or "no limits named"


async def puback(bench: Bench) -> str:
    """Publish to a subscriber, QoS 1."""
    topic = f"{bench.base}/prop/em-01"
    async with client(bench, "puback-s") as reader, client(bench, "puback-p") as writer:
        await subscribed(reader, topic)
        code = await writer.publish(Publish(topic, b"1", 1))
        if code:
            raise Missed(f"PUBACK 0x{code:02x} although somebody listens")
        if await reader.next(WAIT_S) is None:
            raise Missed("acknowledged, but not delivered")
        return "PUBACK 0x00, delivered"


async def unheard(bench: Bench) -> str:
    """Publish where nobody listens."""
    async with client(bench, "unheard") as writer:
        code = await writer.publish(Publish(f"{bench.base}/log/nobody", b"1", 1))
    if code != UNHEARD:
        raise Missed(f"PUBACK 0x{code:02x}: a gateway cannot see that nobody listens")
    return "PUBACK 0x10 where nobody listens"


async def denied(bench: Bench) -> str:
    """Publish where this user may not."""
    if bench.denied is None:
        raise Skipped("name a topic that this user may not write with --acl TOPIC")
    async with client(bench, "denied") as writer:
        try:
            code = await writer.publish(Publish(bench.denied, b"1", 1))
        except Gone as gone:
            raise Missed(f"the broker hangs up instead of refusing: {gone}") from gone
    if code != DENIED:
        raise Missed(f"PUBACK 0x{code:02x} for {bench.denied}: what is refused would count as sent")
    return f"PUBACK 0x87 for {bench.denied}"


async def retained(bench: Bench) -> str:
    """Retain a state, read it later, clear it."""
    topic = f"{bench.base}/kpi/retained"
    async with client(bench, "retain-w") as writer:
        await writer.publish(Publish(topic, b"old", 1, is_retained=True))
        await writer.publish(Publish(topic, b"new", 1, is_retained=True))
        async with client(bench, "retain-r") as reader:
            await subscribed(reader, f"{bench.base}/kpi/+")
            found = await reader.next(WAIT_S)
        await writer.publish(Publish(topic, b"", 1, is_retained=True))
        if found is None or found.payload != b"new" or not found.is_retained:
            raise Missed("the newest state does not come to a later subscriber with a wildcard")
        async with client(bench, "retain-c") as reader:
            await subscribed(reader, f"{bench.base}/kpi/+")
            if await reader.next(QUIET_S) is not None:
                raise Missed("a cleared state is still there")
    return "newest state to a wildcard subscriber, gone when cleared"


async def will(bench: Bench) -> str:
    """Die without a word, then leave in order."""
    topic = f"{bench.base}/state/_"
    last = Will(topic, b"lost", is_retained=True)
    async with client(bench, "will-r") as reader, client(bench, "will-c") as cleaner:
        await subscribed(reader, topic)
        async with client(bench, "will-a", will=last) as dying:
            dying.cut()
            found = await reader.next(WAIT_S)
        if found is None or found.payload != b"lost":
            raise Missed("no will after a broken connection")
        async with client(bench, "will-b", will=last) as leaving:
            leaving.disconnect()
            await leaving.drained()
        said = await reader.next(QUIET_S)
        await cleaner.publish(Publish(topic, b"", 1, is_retained=True))
    if said is not None:
        raise Missed("a will although the client said goodbye")
    return "will after a broken connection, none after a goodbye"


async def taken_over(bench: Bench) -> str:
    """Connect twice under one client id."""
    async with client(bench, "double") as first:
        async with client(bench, "double"), asyncio.timeout(WAIT_S):
            await first.is_over.wait()
        code = first.ended_with
    if code != TAKEN_OVER:
        raise Missed(
            f"the first connection ended {'without a word' if code is None else hex(code)}"
        )
    return "DISCONNECT 0x8e to the first of two under one client id"


async def payload(bench: Bench) -> str:
    """Send the largest `hist`."""
    topic = f"{bench.base}/hist/em-01"
    body = bytes(range(32, 127)) * (HIST_BYTES // 95 + 20)
    async with client(bench, "large-r") as reader, client(bench, "large-w") as writer:
        limit = int(writer.greeting.properties.get(Prop.MAXIMUM_PACKET_SIZE, 1 << 28))
        if limit < len(body) + 200:
            raise Missed(f"Maximum Packet Size is {limit}")
        await subscribed(reader, topic)
        await published(writer, [Publish(topic, body, 1)])
        found = await reader.next(WAIT_S)
    if found is None or found.payload != body:
        raise Missed(f"{len(body)} bytes did not come as they were sent")
    return f"{len(body)} bytes came whole"


async def order(bench: Bench) -> str:
    """Send numbers over one topic, many in flight."""
    topic = f"{bench.base}/prop/order"
    async with client(bench, "order-r") as reader, client(bench, "order-w") as writer:
        await subscribed(reader, topic)
        await published(writer, numbered(topic, ORDERED))
        seen = seen_in(await some(reader, ORDERED))
    if seen != list(range(ORDERED)):
        raise Missed(f"{len(seen)} of {ORDERED} came, or not in order")
    return f"{ORDERED} messages of one topic in order"


async def expiry(bench: Bench) -> str:
    """Let a message expire while its reader is away."""
    topic = f"{bench.base}/cmd/expiry"
    short: Properties = {int(Prop.MESSAGE_EXPIRY): EXPIRY_S}
    async with client(bench, "expiry-w") as writer:
        async with client(bench, "expiry-r", properties=KEPT) as reader:
            await subscribed(reader, topic)
            reader.cut()
        await writer.publish(Publish(topic, b"short", 1, properties=short))
        await writer.publish(Publish(topic, b"long", 1))
        await asyncio.sleep(2 * EXPIRY_S)
        async with client(bench, "expiry-r", is_clean=False, properties=KEPT) as reader:
            found = [message.payload for message in await everything(reader)]
            reader.disconnect(ENDED)
    if b"long" not in found:
        raise Missed("a message that has not expired is gone")
    if b"short" in found:
        raise Missed("an expired message was delivered")
    return "an expired message is dropped, another is kept"


async def content_type(bench: Bench) -> str:
    """Look whether properties of a message are passed on."""
    topic = f"{bench.base}/birth/typed"
    typed: Properties = {int(Prop.CONTENT_TYPE): b"application/json"}
    async with client(bench, "typed-r") as reader, client(bench, "typed-w") as writer:
        await subscribed(reader, topic)
        await writer.publish(Publish(topic, b"{}", 1, properties=typed))
        found = await reader.next(WAIT_S)
    if found is None or found.properties.get(Prop.CONTENT_TYPE) != b"application/json":
        raise Missed("the content type is not passed on")
    return "the content type is passed on"


async def dollar_topics(bench: Bench) -> str:
    """Publish and hear on topics that begin with `$oc` and `$sys`, as some dialects do."""
    topics = [f"$oc/devices/{bench.name}/sys/properties/report", f"$sys/{bench.name}/thing/post"]
    async with client(bench, "dollar-r") as reader, client(bench, "dollar-w") as writer:
        await subscribed(reader, *topics)
        for topic in topics:
            code = await writer.publish(Publish(topic, b"1", 1))
            if code:
                raise Missed(f"PUBACK 0x{code:02x} for {topic}")
        heard = {message.topic for message in await some(reader, len(topics))}
    if heard != set(topics):
        raise Missed(f"not delivered: {', '.join(sorted(set(topics) - heard))}")
    return "messages on $oc/… and $sys/… are delivered"


CHECKS = (
    Check("version", "The broker speaks MQTT 5.",
          "Take a broker with MQTT 5, or set `mqtt: '3.1.1'` at the sink and let the gateway read "
          "its own `up/state/_`: on 3.1.1 a refused publish looks like a delivered one.", version),
    Check("puback", "A publish with QoS 1 is acknowledged with 0x00 and delivered.",
          "Without this nothing can be built on the broker.", puback),
    Check("unheard", "A publish that nobody hears is acknowledged with 0x10.",
          "The standard leaves it to the broker (3.4.2.1). Without it `hold_unheard` does nothing: "
          "subscribe before gateways connect, or use `ack: app`.", unheard, State.WARN),
    Check("acl", "A publish that the access list forbids is refused with 0x87.",
          "Let the broker refuse and neither ignore nor hang up; EMQX: `authorization.deny_action"
          " = ignore`, which answers 0x87 to QoS 1.", denied),
    Check("retained", "States and births are retained, found by wildcard, cleared when empty.",
          "Switch retained messages on for all nodes of the cluster. RabbitMQ keeps them on one "
          "node and finds none by wildcard: read births live there.", retained),
    Check("will", "A broken connection makes the broker send the will, a goodbye does not.",
          "Without wills a gateway that is gone looks online: watch the age of its records.", will),
    Check("taken_over", "Of two connections under one client id the first is told 0x8e.",
          "The gateway finds out all the same, some connections later (mosquitto 2.0.11 only hangs "
          "up).",
          taken_over, State.WARN),
    Check("payload", "Payloads of 60 kB pass.",
          "Raise the largest packet to at least 128 kB: mosquitto `max_packet_size`, EMQX "
          "`mqtt.max_packet_size`, RabbitMQ `mqtt.max_packet_size_authenticated`, NATS "
          "`max_payload`.", payload),
    Check("order", "Messages of one topic come in the order in which they were sent.",
          "Consumers must then sort by `seq` before they show what is now.", order),
    Check("expiry", "A message that has expired is not delivered.",
          "Commands carry their own `exp`, so nothing is carried out too late; only the queue is "
          "longer.", expiry, State.WARN),
    Check("content_type", "The content type of a message is passed on.",
          "Nothing depends on it: all payloads are JSON.", content_type, State.WARN),
    Check("dollar_topics", "Topics that begin with $oc or $sys can be used.",
          "Only Huawei's and OneNET's dialects need them; native does not.", dollar_topics,
          State.WARN),
)  # fmt: skip
