"""What consumers need of a broker to lose nothing (MQTT 5.0)."""

from __future__ import annotations

from simulators.conform.check import Bench, Check, Missed, State
from simulators.conform.steps import (
    ENDED,
    KEPT,
    client,
    everything,
    numbered,
    published,
    seen_in,
    some,
    subscribed,
)
from simulators.mqtt5.connection import Connection
from simulators.mqtt5.packets import Prop, Properties, Publish

LIMIT = 1000
HOUR_S = 3600
IN_FLIGHT = 5
SHARED = 40


async def packet_size(bench: Bench) -> str:
    """Subscribe as a client that takes no large packets."""
    topic = f"{bench.base}/hist/small"
    narrow = {int(Prop.MAXIMUM_PACKET_SIZE): LIMIT}
    async with (
        client(bench, "narrow-r", properties={**narrow}) as reader,
        client(bench, "narrow-w") as writer,
    ):
        await subscribed(reader, topic)
        await published(writer, [Publish(topic, bytes(2 * LIMIT), 1), Publish(topic, b"1", 1)])
        found = await everything(reader)
    if any(len(message.payload) > LIMIT for message in found):
        raise Missed("a packet above the client's Maximum Packet Size was sent to it")
    if [message.payload for message in found] != [b"1"]:
        raise Missed("what follows a packet that is too large does not come")
    return "what is too large for a client is left out, the next comes"


async def receive_maximum(bench: Bench) -> str:
    """Acknowledge nothing, and count what comes all the same."""
    topic = f"{bench.base}/prop/window"
    few = {int(Prop.RECEIVE_MAXIMUM): IN_FLIGHT}
    async with (
        client(bench, "window-r", properties={**few}) as reader,
        client(bench, "window-w") as writer,
    ):
        reader.takes = lambda _: False
        await subscribed(reader, topic)
        await published(writer, numbered(topic, 4 * IN_FLIGHT))
        held = await everything(reader)
        if len(held) > IN_FLIGHT:
            raise Missed(f"{len(held)} unacknowledged where {IN_FLIGHT} are allowed")
        seen = seen_in(held)
        while held:
            for message in held:
                reader.acknowledge(message)
            held = await everything(reader)
            seen += seen_in(held)
    if seen != list(range(4 * IN_FLIGHT)):
        raise Missed(f"{len(set(seen))} of {4 * IN_FLIGHT} came once they were acknowledged")
    return f"never more than {IN_FLIGHT} unacknowledged, all in the end"


async def session(bench: Bench) -> str:
    """Be away with something unacknowledged, and come back."""
    topic = f"{bench.base}/event/session"
    async with client(bench, "session-w") as writer:
        async with client(bench, "session-r", properties=KEPT) as reader:
            reader.takes = lambda _: False
            await subscribed(reader, topic)
            await published(writer, numbered(topic, 3))
            if len(await some(reader, 3)) != 3:  # noqa: PLR2004 - those just sent
                raise Missed("messages do not come")
            reader.cut()
        await published(writer, [Publish(topic, b"3", 1)])
        async with client(bench, "session-r", is_clean=False, properties=KEPT) as reader:
            if not reader.greeting.is_present:
                raise Missed("the session is gone after a broken connection")
            seen = seen_in(await some(reader, 4))
            reader.disconnect(ENDED)
    if sorted(set(seen)) != [0, 1, 2, 3]:
        raise Missed(f"of 4 unacknowledged messages {len(set(seen))} came again")
    return "what was not acknowledged comes again, and what came meanwhile"


async def session_hour(bench: Bench) -> str:
    """Ask for a session of an hour, and read what the broker makes of it (3.2.2.3.2)."""
    hour: Properties = {int(Prop.SESSION_EXPIRY): HOUR_S}
    async with client(bench, "hour", properties=hour) as link:
        granted = int(link.greeting.properties.get(Prop.SESSION_EXPIRY, HOUR_S))
        link.disconnect(ENDED)
    if granted < HOUR_S:
        raise Missed(f"the broker grants {granted} s")
    return "a session of an hour is granted"


async def queue(bench: Bench) -> str:
    """Let messages gather for a consumer that is away."""
    topic = f"{bench.base}/prop/queue"
    async with client(bench, "queue-w") as writer:
        async with client(bench, "queue-r", properties=KEPT) as reader:
            await subscribed(reader, topic)
            reader.cut()
        await published(writer, numbered(topic, bench.queue))
        async with client(bench, "queue-r", is_clean=False, properties=KEPT) as reader:
            seen = seen_in(await some(reader, bench.queue))
            reader.disconnect(ENDED)
    if seen != list(range(bench.queue)):
        raise Missed(f"{len(set(seen))} of {bench.queue} were kept, all were acknowledged")
    return f"{bench.queue} messages were kept for an absent consumer"


async def shared(bench: Bench) -> str:
    """Let two share the work."""
    topic = f"{bench.base}/prop/shared"
    async with (
        client(bench, "share-a") as one,
        client(bench, "share-b") as two,
        client(bench, "share-w") as writer,
    ):
        _demand_shared(one)
        for link in (one, two):
            await subscribed(link, f"$share/{bench.name}/{topic}")
        await published(writer, numbered(topic, SHARED))
        parts = [seen_in(await everything(link)) for link in (one, two)]
    if sorted(parts[0] + parts[1]) != list(range(SHARED)):
        raise Missed(f"{SHARED} messages gave {len(parts[0])} and {len(parts[1])}, not each once")
    if not all(parts):
        raise Missed("one of two got everything")
    return f"{len(parts[0])} and {len(parts[1])} of {SHARED}, each once"


async def shared_killed(bench: Bench) -> str:
    """Let one of two die with unacknowledged work, and come back."""
    topic = f"{bench.base}/prop/killed"
    filters = f"$share/{bench.name}k/{topic}"
    async with (
        client(bench, "killed-b", properties=KEPT) as survivor,
        client(bench, "killed-w") as writer,
    ):
        _demand_shared(survivor)
        await subscribed(survivor, filters)
        async with client(bench, "killed-a", properties=KEPT) as dying:
            dying.takes = lambda _: False
            await subscribed(dying, filters)
            await published(writer, numbered(topic, SHARED // 2))
            await everything(dying)
            dying.cut()
        await published(writer, numbered(topic, SHARED)[SHARED // 2 :])
        async with client(bench, "killed-a", is_clean=False, properties=KEPT) as back:
            seen = seen_in(await everything(back)) + seen_in(await everything(survivor))
            for link in (back, survivor):
                link.disconnect(ENDED)
    lost = set(range(SHARED)) - set(seen)
    if lost:
        raise Missed(f"{len(lost)} of {SHARED} are lost, {len(seen)} came")
    return f"all of {SHARED} came to the survivor or to the one that returned"


def _demand_shared(link: Connection) -> None:
    if link.greeting.properties.get(Prop.SHARED_AVAILABLE, 1) == 0:
        raise Missed("the broker says that it has no shared subscriptions")


CHECKS = (
    Check("packet_size", "A client's Maximum Packet Size is kept.",
          "The standard demands it (3.1.2.11.4): a gateway on a thin line would be cut off.",
          packet_size),
    Check("receive_maximum", "A client's Receive Maximum is kept.",
          "The standard demands it (3.3.4): a consumer that commits slowly would be flooded.",
          receive_maximum),
    Check("session", "An absent client's session is kept, with all that it had not acknowledged.",
          "Allow a Session Expiry Interval of at least an hour; EMQX: durable sessions or "
          "`mqtt.session_expiry_interval`; mosquitto: `persistence true` against restarts.",
          session),
    Check("session_hour", "A session may wait for an hour.",
          "Raise the longest Session Expiry Interval, on RabbitMQ "
          "`mqtt.max_session_expiry_interval_seconds`. A consumer that is away for longer must ask "
          "gateways again.",
          session_hour, State.WARN),
    Check("queue", "Messages gather for an absent consumer and none is dropped in silence.",
          "Raise the queue of a session: mosquitto `max_queued_messages` (1000 by default), EMQX "
          "`mqtt.max_mqueue_len` (1000). Else records go missing until they are asked for again.",
          queue),
    Check("shared", "A shared subscription gives each message to one of its members.",
          "Without it one copy does all the work, or the split is made behind the broker: on "
          "RabbitMQ with a quorum queue bound to `amq.topic`, on NATS with a pull consumer.",
          shared),
    Check("shared_killed", "What a killed member had not acknowledged comes to somebody.",
          "Then keep `--patience` short: the receiver asks gateways again for what the broker "
          "loses.", shared_killed),
)  # fmt: skip
