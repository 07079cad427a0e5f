"""A broker that does what a test says: any CONNACK, any PUBACK code, late or never, half-open.

    async with ScriptedBroker(Script(receive_maximum=1)) as broker:
        ... broker.port ...
        await broker.published(3)

It speaks MQTT 5 and 3.1.1 as far as a publisher with subscriptions needs, and keeps what it got.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 1, 2, 3, 4
_SUBSCRIBE, _SUBACK, _PINGREQ, _DISCONNECT = 8, 9, 12, 14
_CONNACK_PROPERTIES = {
    "session_expiry": (0x11, ">I"),
    "server_keep_alive": (0x13, ">H"),
    "receive_maximum": (0x21, ">H"),
    "maximum_qos": (0x24, ">B"),
    "retain_available": (0x25, ">B"),
    "maximum_packet_size": (0x27, ">I"),
}
WAIT_S = 10.0
"""No wait of a test takes longer."""


@dataclass(frozen=True, slots=True)
class Got:
    """One PUBLISH as it came."""

    topic: str
    payload: bytes
    qos: int
    is_retained: bool
    is_duplicate: bool
    mid: int
    properties: bytes
    size: int
    """Of the whole packet."""


@dataclass(frozen=True, slots=True)
class Hello:
    """One CONNECT as it came."""

    client_id: str
    level: int
    """5 for MQTT 5, 4 for 3.1.1."""
    is_clean: bool
    keepalive: int
    will_topic: str | None
    will_payload: bytes | None
    username: str | None
    password: bytes | None


def always(_got: Got) -> int | None:
    """Acknowledge everything with success."""
    return 0


def silent(_connection: Connection) -> None:
    """Say nothing beside CONNACK."""


def never(_got: Got) -> int | None:
    """Acknowledge nothing."""
    return None


@dataclass(slots=True)
class Script:
    """How the broker behaves. May be changed while it runs."""

    connack: int = 0
    """Reason code (return code on 3.1.1)."""
    levels: frozenset[int] = frozenset({4, 5})
    """Protocol levels it speaks; to others it answers CONNACK 0x84 (or 1 on 3.1.1)."""
    refusal: int = 0x84
    properties: dict[str, int] = field(default_factory=dict[str, int])
    """CONNACK properties by name, such as `receive_maximum`."""
    acknowledge: Callable[[Got], int | None] = always
    """PUBACK reason code; None for no answer."""
    suback: int | None = None
    """Reason code for every filter; None grants what was asked for."""
    is_deaf: bool = False
    """Half-open: reads nothing and answers nothing, but keeps the connection."""
    closes_at_connect: bool = False
    greets: Callable[[Connection], None] = silent
    """Called right after CONNACK, in the same piece on the wire."""


class Connection:
    """One client. Packets can be sent to it by hand."""

    def __init__(
        self, script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._script = script
        self._reader = reader
        self._writer = writer
        self.hello: Hello | None = None
        self.got: list[Got] = []
        self.unacknowledged: set[int] = set()
        self.most_unacknowledged = 0
        self.subscriptions: list[str] = []
        self.pings = 0
        self.is_closed = False
        self.said_goodbye = False

    @property
    def is_v5(self) -> bool:
        """Whether the client speaks MQTT 5."""
        return self.hello is not None and self.hello.level == 5

    def send(self, kind: int, body: bytes, flags: int = 0) -> None:
        """Send one packet, if the connection still stands."""
        if self._writer.is_closing():
            return
        self._writer.write(bytes([kind << 4 | flags]) + _varint(len(body)) + body)

    def acknowledge(self, mid: int, code: int = 0) -> None:
        """Send a PUBACK; on 3.1.1 without a code."""
        self.unacknowledged.discard(mid)
        body = struct.pack(">H", mid)
        if self.is_v5 and code:
            body += bytes([code, 0])
        self.send(_PUBACK, body)

    def deliver(
        self, topic: str, payload: bytes, *, is_retained: bool = False, properties: bytes = b""
    ) -> None:
        """Send a message to the client, with QoS 0."""
        body = _text(topic)
        if self.is_v5:
            body += _varint(len(properties)) + properties
        self.send(_PUBLISH, body + payload, int(is_retained))

    def disconnect(self, code: int) -> None:
        """Send a DISCONNECT with a reason, and close."""
        self.send(_DISCONNECT, bytes([code, 0]))
        self.cut()

    def cut(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def serve(self, changed: Callable[[], None]) -> None:
        """Answer until the connection ends."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, flags, body = await self._packet()
                while self._script.is_deaf:
                    changed()
                    await asyncio.Event().wait()
                self._answer(kind, flags, body)
                changed()
        self.is_closed = True
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        changed()

    async def _packet(self) -> tuple[int, int, bytes]:
        first = (await self._reader.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        return first >> 4, first & 15, await self._reader.readexactly(length)

    def _answer(self, kind: int, flags: int, body: bytes) -> None:
        match kind:
            case 1:
                self._greet(_hello(body))
            case 3:
                self._take(_got(flags, body, self.is_v5))
            case 8:
                self._subscribe(body)
            case 12:
                self.pings += 1
                self.send(13, b"")
            case 14:
                self.said_goodbye = True
                self.cut()
            case _:
                pass

    def _greet(self, hello: Hello) -> None:
        self.hello = hello
        if self._script.closes_at_connect:
            self.cut()
            return
        if hello.level not in self._script.levels:
            is_old = self._script.refusal == 1
            self.send(_CONNACK, bytes([0, self._script.refusal]) + (b"" if is_old else b"\0"))
            self.cut()
            return
        body = bytes([0, self._script.connack])
        if hello.level == 5:
            properties = b"".join(
                bytes([_CONNACK_PROPERTIES[name][0]])
                + struct.pack(_CONNACK_PROPERTIES[name][1], value)
                for name, value in self._script.properties.items()
            )
            body += _varint(len(properties)) + properties
        self.send(_CONNACK, body)
        if self._script.connack:
            self.cut()
            return
        self._script.greets(self)

    def _take(self, got: Got) -> None:
        self.got.append(got)
        if got.qos == 0:
            return
        self.unacknowledged.add(got.mid)
        self.most_unacknowledged = max(self.most_unacknowledged, len(self.unacknowledged))
        code = self._script.acknowledge(got)
        if code is not None:
            self.acknowledge(got.mid, code)

    def _subscribe(self, body: bytes) -> None:
        at = 2
        if self.is_v5:
            length, at = _read_varint(body, at)
            at += length
        codes = b""
        while at < len(body):
            topic, at = _read_bytes(body, at)
            self.subscriptions.append(topic.decode())
            codes += bytes([body[at] & 3 if self._script.suback is None else self._script.suback])
            at += 1
        self.send(_SUBACK, body[:2] + (b"\0" if self.is_v5 else b"") + codes)


class ScriptedBroker:
    """Listens on a free loopback port."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.connections: list[Connection] = []
        self.port = 0
        self._tasks: asyncio.TaskGroup = asyncio.TaskGroup()
        self._served: set[asyncio.Task[None]] = set()
        self._change = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        await self._tasks.__aenter__()
        await self.listen()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close everything."""
        await self.stop_listening()
        for task in self._served:
            task.cancel()
        for connection in self.connections:
            connection.cut()
        await self._tasks.__aexit__(None, None, None)

    async def listen(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop_listening(self) -> None:
        """Refuse further connections; those that stand are left alone."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def last(self) -> Connection:
        """The newest connection."""
        return self.connections[-1]

    @property
    def got(self) -> list[Got]:
        """All publications over all connections, in order."""
        return [got for connection in self.connections for got in connection.got]

    async def published(self, count: int) -> list[Got]:
        """Wait until so many publications have come."""
        await self.until(lambda: len(self.got) >= count)
        return self.got

    async def connected(self, count: int = 1) -> Connection:
        """Wait until so many clients have said CONNECT; return the newest."""
        await self.until(lambda: sum(c.hello is not None for c in self.connections) >= count)
        return self.connections[-1]

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until something holds; looked at after every packet."""
        async with asyncio.timeout(WAIT_S):
            while not is_true():
                self._change.clear()
                await self._change.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self.script, reader, writer)
        self.connections.append(connection)
        task = self._tasks.create_task(connection.serve(self._change.set))
        self._served.add(task)
        task.add_done_callback(self._served.discard)


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = body[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            return number, at


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def _read_bytes(body: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from(">H", body, at)
    return body[at + 2 : at + 2 + length], at + 2 + length


def _hello(body: bytes) -> Hello:
    level, flags = body[6], body[7]
    (keepalive,) = struct.unpack_from(">H", body, 8)
    at = 10
    if level == 5:
        length, at = _read_varint(body, at)
        at += length
    client_id, at = _read_bytes(body, at)
    will_topic = will_payload = username = password = None
    if flags & 0x04:
        if level == 5:
            length, at = _read_varint(body, at)
            at += length
        will_topic, at = _read_bytes(body, at)
        will_payload, at = _read_bytes(body, at)
    if flags & 0x80:
        username, at = _read_bytes(body, at)
    if flags & 0x40:
        password, at = _read_bytes(body, at)
    return Hello(
        client_id.decode(),
        level,
        bool(flags & 0x02),
        keepalive,
        None if will_topic is None else will_topic.decode(),
        will_payload,
        None if username is None else username.decode(),
        password,
    )


def _got(flags: int, body: bytes, is_v5: bool) -> Got:  # noqa: FBT001 - a private helper
    topic, at = _read_bytes(body, 0)
    qos, mid, properties = flags >> 1 & 3, 0, b""
    if qos:
        (mid,) = struct.unpack_from(">H", body, at)
        at += 2
    if is_v5:
        length, at = _read_varint(body, at)
        properties = body[at : at + length]
        at += length
    return Got(
        topic.decode(),
        body[at:],
        qos,
        bool(flags & 1),
        bool(flags & 8),
        mid,
        properties,
        len(body) + 1 + len(_varint(len(body))),
    )
