"""What the demo shows: one page of plain text, drawn anew every second on a terminal.

Without a terminal one line every few seconds says the same in short.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from simulators.demo.gateway import GatewayStatus
from simulators.platform import GOOD, Auditor, Latest

CLEAR = "\x1b[H\x1b[2J"
BOLD, RED, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[0m"
LINE_EVERY_S = 5
VALUES_PER_DEVICE = 4
KEPT_TOLD = 6
# What people look for first; other points follow in the order of their arrival.
FIRST_POINTS = ("status", "pos", "door", "smoke", "wet", "alarm", "u_a", "p_tot", "ep_imp", "flow")


@dataclass(frozen=True, slots=True)
class Picture:
    """All that one page shows."""

    elapsed_s: float
    broker: str
    devices: Sequence[str]
    auditor: Auditor
    status: GatewayStatus | None


class Screen:
    """Draws pictures; keeps what was told."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._is_terminal = out.isatty()
        self._has_colour = self._is_terminal and "NO_COLOR" not in os.environ
        self._told: deque[str] = deque(maxlen=KEPT_TOLD)
        self._drawn = 0

    def tell(self, text: str) -> None:
        """Say that something happened."""
        self._told.append(text)
        if not self._is_terminal:
            self._write(f"* {text}")

    def draw(self, picture: Picture) -> None:
        """Show the state of all; call it every second."""
        self._drawn += 1
        if self._is_terminal:
            self._out.write(CLEAR)
            self._write("\n".join(self._page(picture)))
        elif self._drawn % LINE_EVERY_S == 1:
            self._write(summary_line(picture))

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()

    def _page(self, picture: Picture) -> list[str]:
        page = [self._strong(f"Linli Gateway demo, {picture.elapsed_s:.0f} s, {picture.broker}")]
        page += [summary_line(picture), ""]
        if picture.status is not None:
            page += [
                f"line {line.name:<10} load {line.load_percent:5.1f} %  errors {line.errors}"
                for line in picture.status.lines
            ]
        page.append("")
        page += [self._device(picture.auditor, device) for device in picture.devices]
        page += ["", self._strong("events")]
        page += [
            f"  {e.device:<12} {e.type} {e.state} (severity {e.severity})"
            for e in list(picture.auditor.events)[-KEPT_TOLD:]
        ]
        return [*page, "", self._strong("what happened"), *(f"  {t}" for t in self._told)]

    def _device(self, auditor: Auditor, device: str) -> str:
        values = {point: v for (d, point), v in auditor.latest.items() if d == device}
        first = [p for p in FIRST_POINTS if p in values]
        shown = (first + [p for p in values if p not in first])[:VALUES_PER_DEVICE]
        is_offline = auditor.online.get(device) is False
        mark = self._warning("offline") if is_offline else ""
        return f"{device:<12} {mark}{'  '.join(f'{p} {_text(values[p])}' for p in shown)}"

    def _strong(self, text: str) -> str:
        return f"{BOLD}{text}{PLAIN}" if self._has_colour else text

    def _warning(self, text: str) -> str:
        return f"{RED}{text}{PLAIN} " if self._has_colour else f"{text} "


def summary_line(picture: Picture) -> str:
    """Return the counts in one line."""
    status, auditor = picture.status, picture.auditor
    gateway = (
        "gateway starting"
        if status is None
        else f"taken {status.taken}, committed {status.committed}, outbox {status.outbox}"
    )
    return (
        f"{picture.elapsed_s:4.0f} s: {gateway}; received {auditor.received}, lost {auditor.lost},"
        f" duplicate {auditor.duplicates}, false {auditor.false_count}"
    )


def _text(latest: Latest) -> str:
    if latest.quality != GOOD or latest.value is None:
        return f"({latest.reason or 'no value'})"
    value = f"{latest.value:g}" if isinstance(latest.value, float) else str(latest.value)
    return f"{value} {latest.unit}" if latest.unit else value
