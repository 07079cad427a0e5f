"""A subscriber in a process of its own, which writes down all that comes and does nothing else.

    with archive(broker.port, folder / "received") as file:
        ...
    for topic, payload in entries(file): ...

What reads a million records must not share a process with what measures tenths of a second.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.publish import single

END = "linli-archive/end"
STOP_S = 120.0
_HEAD = struct.Struct(">HI")


@contextmanager
def archive(port: int, file: Path, root: str = "fc") -> Generator[Path]:
    """Yield where it writes; leaving the block waits until all is written that the broker has."""
    command = [sys.executable, "-m", "tests.faults.uplink_archive", str(port), str(file), root]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield file
            single(END, b"", qos=1, port=port)
            assert process.wait(STOP_S) == 0
        finally:
            process.kill()


def entries(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield topic and payload of every message, in order."""
    with file.open("rb") as source:
        while head := source.read(_HEAD.size):
            topic, payload = _HEAD.unpack(head)
            yield source.read(topic).decode(), source.read(payload)


def main(port: int, file: Path, root: str) -> None:
    """Write until the message on `END` comes."""
    with file.open("wb") as target:
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_message = lambda _c, _u, message: _write(client, target, message)
        client.on_subscribe = _say_ready
        client.connect("127.0.0.1", port)
        client.subscribe([(f"{root}/#", 1), (END, 1)])
        client.loop_forever()


def _say_ready(*_: object) -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _write(client: Client, target: IO[bytes], message: MQTTMessage) -> None:
    if message.topic == END:
        client.disconnect()
        return
    topic = message.topic.encode()
    target.write(_HEAD.pack(len(topic), len(message.payload)) + topic + message.payload)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
