"""Floods a broker with commands for one gateway: `python -m tests.bench.flood_sender PORT RATE`.

Packets are made by hand (MQTT 3.1.1, QoS 0): a client library would be busier than the gateway.
Says `ready`; a line `go` or `rest` on its input begins or ends the flood, and each line is answered
with what it has sent so far.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from itertools import count
from random import Random
from threading import Event, Thread

TOPIC = b"fc/1/bench/gw-flood/dn/cmd/m-01"
TURN_S = 0.01


def packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT control packet (3.1.1, 2.2)."""
    length, digits = len(body), bytearray()
    while True:
        length, digit = divmod(length, 128)
        digits.append(digit | (0x80 if length else 0))
        if not length:
            return bytes((kind, *digits)) + body


def payloads(rng: Random) -> Iterator[bytes]:
    """Yield commands that are well formed and not allowed, and things that are no commands."""
    far = time.time_ns() // 1_000_000 + 3_600_000
    for number in count():
        rid = f"f{number}"
        match rng.randrange(4):
            case 0:
                yield json.dumps(
                    {"rid": rid, "op": "set", "p": {"v00": number}, "exp": far}
                ).encode()
            case 1:
                yield json.dumps({"rid": rid, "op": "read", "p": ["v00"]}).encode()
            case 2:
                yield json.dumps({"rid": rid, "op": "set", "p": {"v00": [1] * 50}}).encode()
            case _:
                yield rng.randbytes(200)


class Flood:
    """One connection that sends at a fixed rate."""

    def __init__(self, port: int, rate: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        connect = b"\x00\x04MQTT\x04\x02\x00\x00\x00\x05flood"
        self._socket.sendall(packet(0x10, connect))
        self._socket.recv(4)
        rng = Random(1)  # noqa: S311 - the same flood in every run
        head = len(TOPIC).to_bytes(2, "big") + TOPIC
        made = payloads(rng)
        self._packets = [packet(0x30, head + next(made)) for _ in range(20_000)]
        self._per_turn = max(1, round(rate * TURN_S))
        self.sent = 0
        self.is_on = Event()

    def run(self) -> None:
        """Send while it is on; what the broker does not take at once comes later."""
        while self.is_on.wait():
            due = time.monotonic()
            while self.is_on.is_set():
                first = self.sent % len(self._packets)
                some = self._packets[first : first + self._per_turn]
                self._socket.sendall(b"".join(some))
                self.sent += len(some)
                due += TURN_S
                time.sleep(max(0.0, due - time.monotonic()))


def main() -> None:
    """Do as the lines on the input say."""
    flood = Flood(int(sys.argv[1]), int(sys.argv[2]))
    Thread(target=flood.run, daemon=True).start()
    _say("ready")
    for line in sys.stdin:
        match line.strip():
            case "go":
                flood.is_on.set()
            case "rest":
                flood.is_on.clear()
            case _:
                pass
        _say(str(flood.sent))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
