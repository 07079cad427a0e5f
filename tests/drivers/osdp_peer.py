"""libosdp as a reader in a process of its own: it crashes the interpreter when it is collected.

Arguments: descriptor of the wire, the key in hexadecimal or `-`. Lines on the standard input are
what happens to the reader: `card`, `input`.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

import osdp as untyped  # pyright: ignore[reportMissingTypeStubs]

osdp: Any = untyped
ADDRESS = 5
CARD_NUMBER = bytes.fromhex("abcdef80")
IDLE_S = 0.002


class Wire(osdp.Channel):
    """The wire as libosdp wants it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def read(self, max_bytes: int) -> bytes:
        try:
            return os.read(self._descriptor, max_bytes)
        except BlockingIOError:
            return b""

    def write(self, buf: bytes) -> int:
        return os.write(self._descriptor, bytes(buf))

    def flush(self) -> None:
        """Nothing waits."""


def event(name: str) -> dict[str, Any]:
    """Return what libosdp takes for an event."""
    if name == "card":
        return {
            "event": osdp.Event.CardRead,
            "reader_no": 0,
            "direction": 0,
            "format": osdp.CardFormat.Unspecified,
            "length": 26,
            "data": CARD_NUMBER,
        }
    return {
        "event": osdp.Event.Status,
        "type": osdp.StatusReportType.Input,
        "report": bytes([1, 0]),
    }


def main() -> None:
    """Be a reader until killed."""
    key = None if sys.argv[2] == "-" else bytes.fromhex(sys.argv[2])
    cap = osdp.Capability
    known = osdp.PDCapabilities(
        [
            (cap.ContactStatusMonitoring, 1, 2),
            (cap.OutputControl, 1, 2),
            (cap.CardDataFormat, 1, 1),
            (cap.Readers, 1, 1),
            (cap.CommunicationSecurity, 1, 1),
        ]
    )
    # Without a key of its own it takes the default key.
    flags = [osdp.LibFlag.InstallMode] if key is None else []
    about = osdp.PDInfo(ADDRESS, Wire(int(sys.argv[1])), scbk=key, flags=flags)
    reader = osdp.PeripheralDevice(about, known, log_level=osdp.LogLevel.Critical)
    while True:
        reader.ctx.refresh()
        if select.select([sys.stdin], [], [], IDLE_S)[0]:
            line = sys.stdin.readline()
            if not line:
                os._exit(0)
            reader.ctx.submit_event(event(line.strip()))


if __name__ == "__main__":
    main()
