"""One MQTT 5 connection over asyncio. What comes is kept in order; nothing is hidden or repeated.

    async with connected(broker, Hello("me")) as link:
        code = await link.publish(Publish("a/b", b"x", qos=1))

Closing without `disconnect` leaves the broker without a word, so that it sends the will.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from simulators.mqtt5.broker import Broker
from simulators.mqtt5.packets import (
    NONE,
    Connack,
    Hello,
    Kind,
    Malformed,
    Packet,
    Prop,
    Properties,
    Publish,
    Reader,
    connack,
    connect_packet,
    disconnect_code,
    disconnect_packet,
    mid_and_codes,
    ping_packet,
    puback_packet,
    publish,
    publish_packet,
    subscribe_packet,
)

READ_BYTES = 1 << 16
ANSWER_S = 10.0
"""No answer of a broker is awaited longer."""
_MOST_MID = 65_535


class Gone(Exception):
    """The connection has ended; `code` is what the broker said, None when it said nothing."""

    def __init__(self, code: int | None) -> None:
        super().__init__("the connection ended" + ("" if code is None else f" with 0x{code:02x}"))
        self.code = code


class NotAccepted(Exception):
    """CONNACK with a reason code that is a refusal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the broker refuses the connection: 0x{code:02x}")
        self.code = code


def keep_all(_: Publish) -> bool:
    """Acknowledge every message as it comes."""
    return True


class Connection:
    """What stands between us and a broker, from CONNACK on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._packets = Reader()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._mid = 0
        self._ended: int | None = None
        self.greeting = Connack(is_present=False, code=0, properties={})
        self.messages: asyncio.Queue[Publish] = asyncio.Queue()
        """All that came, in order. Unbounded: Receive Maximum and the test bound it."""
        self.takes: Callable[[Publish], bool] = keep_all
        """Whether a message is acknowledged as soon as it comes."""
        self.is_over = asyncio.Event()
        self.news = asyncio.Event()
        """Set whenever something comes, and at the end; whoever waits for it clears it."""

    @property
    def ended_with(self) -> int | None:
        """The code of the broker's DISCONNECT, if it sent one."""
        return self._ended

    async def greet(self, hello: Hello) -> Connack:
        """Say CONNECT and return the answer; raises NotAccepted, Gone or Malformed."""
        self._writer.write(connect_packet(hello))
        async with asyncio.timeout(ANSWER_S):
            while not (found := self._packets.feed(await self._some())):
                pass
        if found[0].kind is not Kind.CONNACK:
            raise Malformed("the first packet is no CONNACK")
        self.greeting = connack(found[0])
        if self.greeting.code:
            raise NotAccepted(self.greeting.code)
        for packet in found[1:]:
            self._take(packet)
        return self.greeting

    async def read(self) -> None:
        """Take packets until the connection ends; to be run as a task."""
        try:
            while True:
                for packet in self._packets.feed(await self._some()):
                    self._take(packet)
                self.news.set()
        except (Gone, Malformed):
            pass
        finally:
            self.is_over.set()
            self.news.set()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Gone(self._ended))
                    waiting.exception()  # it may be that nobody asks any more

    async def ping(self, keepalive_s: int) -> None:
        """Keep the connection alive until it ends; to be run as a task."""
        keepalive_s = int(self.greeting.properties.get(Prop.SERVER_KEEP_ALIVE, keepalive_s))
        while keepalive_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(keepalive_s / 2):
                    await self.is_over.wait()
                    return
            self._writer.write(ping_packet())

    # --- what we say

    def send(self, message: Publish) -> asyncio.Future[bytes]:
        """Send a message of QoS 1; the future holds the reason code, or Gone."""
        mid = self._next_mid()
        answer = self._answer_to(mid)
        self._writer.write(publish_packet(replace(message, qos=1, mid=mid)))
        return answer

    async def publish(self, message: Publish) -> int:
        """Send a message of QoS 1 and return the reason code; raises Gone or TimeoutError."""
        answer = self.send(message)
        async with asyncio.timeout(ANSWER_S):
            return (await answer)[0]

    async def subscribe(self, *filters: str) -> bytes:
        """Subscribe with QoS 1 and return the reason codes; raises Gone or TimeoutError."""
        mid = self._next_mid()
        answer = self._answer_to(mid)
        self._writer.write(subscribe_packet(mid, list(filters)))
        async with asyncio.timeout(ANSWER_S):
            return await answer

    def acknowledge(self, message: Publish) -> None:
        """Confirm a message that was not taken at once."""
        self._writer.write(puback_packet(message.mid))

    def disconnect(self, properties: Properties = NONE) -> None:
        """Say goodbye, so that there is no will."""
        self._writer.write(disconnect_packet(0, properties))

    async def drained(self) -> None:
        """Wait until the system has taken what we wrote."""
        with suppress(ConnectionError):
            await self._writer.drain()

    async def next(self, within_s: float) -> Publish | None:
        """Return the next message, None when none comes in time or the connection is over."""
        try:
            async with asyncio.timeout(within_s):
                return await self.messages.get()
        except TimeoutError:
            return None

    def cut(self) -> None:
        """Break the connection off, as a dead machine does."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """End it."""
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    # --- what comes

    async def _some(self) -> bytes:
        try:
            received = await self._reader.read(READ_BYTES)
        except OSError as error:
            raise Gone(self._ended) from error
        if not received:
            raise Gone(self._ended)
        return received

    def _take(self, packet: Packet) -> None:
        match packet.kind:
            case Kind.PUBLISH:
                message = publish(packet)
                self.messages.put_nowait(message)
                if message.qos and self.takes(message):
                    self.acknowledge(message)
            case Kind.PUBACK | Kind.SUBACK | Kind.UNSUBACK:
                mid, codes = mid_and_codes(packet)
                waiting = self._waiting.pop(mid, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(codes)
            case Kind.DISCONNECT:
                self._ended = disconnect_code(packet)
            case _:
                pass

    def _answer_to(self, mid: int) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.is_over.is_set():
            answer.set_exception(Gone(self._ended))
            answer.exception()
        else:
            self._waiting[mid] = answer
        return answer

    def _next_mid(self) -> int:
        while True:
            self._mid = self._mid % _MOST_MID + 1
            if self._mid not in self._waiting:
                return self._mid


@asynccontextmanager
async def connected(broker: Broker, hello: Hello) -> AsyncGenerator[Connection]:
    """Yield a connection that was accepted; it is cut at the end if it was not closed in order.

    Name and password are the broker's. Raises OSError, TimeoutError, NotAccepted, Gone, Malformed.
    """
    async with asyncio.timeout(ANSWER_S):
        streams = await asyncio.open_connection(broker.host, broker.port, ssl=broker.tls_context())
    link = Connection(*streams)
    try:
        await link.greet(replace(hello, username=broker.username, password=broker.password))
        async with asyncio.TaskGroup() as tasks:
            running = (
                tasks.create_task(link.read(), name=f"mqtt:{hello.client_id}"),
                tasks.create_task(link.ping(hello.keepalive_s), name=f"ping:{hello.client_id}"),
            )
            try:
                yield link
                await link.drained()
            finally:
                for task in running:
                    task.cancel()
    finally:
        await link.close()
