"""What a simulated community does beside running: faults, turnarounds, and things that happen.

A JSON file: `{"seed": 1, "faults": ["em-05:silent"], "turnaround_ms": {"meters": 20},
"happenings": [{"at": 8, "device": "bay-2", "what": "car", "for": 15, "say": "A car comes."}]}`.
A happening names what its kind of thing can do (`what`), or holds a `value` on a `point`, or pulls
a whole bus out (`bus` and `what: unplug`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.model.reading import Value
from simulators.faults import Fault, parse_faults

DEFAULT_FOR_S = 10.0


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens, `at_s` seconds after the start, for `for_s` seconds."""

    at_s: float
    for_s: float
    device: str | None = None
    bus: str | None = None
    what: str = ""
    point: str | None = None
    value: Value | None = None
    say: str = ""

    @property
    def title(self) -> str:
        """What people read."""
        return self.say or f"{self.device or self.bus}: {self.what or self.point}"


@dataclass(frozen=True, slots=True)
class Script:
    """The whole file."""

    seed: int = 0
    faults: Mapping[str, tuple[Fault, ...]] = field(default_factory=dict[str, tuple[Fault, ...]])
    turnaround_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """By the name of a bus or the id of a device."""
    happenings: tuple[Happening, ...] = ()


def load_script(path: Path) -> Script:
    """Return the script of a file.

    Raises:
        ValueError: it is no script, with what is wrong.
    """
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        return Script(
            seed=int(known.get("seed", 0)),
            faults=parse_faults(known.get("faults", ())),
            turnaround_s={
                str(name): float(ms) / 1000 for name, ms in known.get("turnaround_ms", {}).items()
            },
            happenings=tuple(
                sorted((_happening(h) for h in known.get("happenings", ())), key=lambda h: h.at_s)
            ),
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{path} is no script: {exc!r}") from exc


def _happening(known: dict[str, Any]) -> Happening:
    return Happening(
        at_s=float(known["at"]),
        for_s=float(known.get("for", DEFAULT_FOR_S)),
        device=known.get("device"),
        bus=known.get("bus"),
        what=str(known.get("what", "")),
        point=known.get("point"),
        value=known.get("value"),
        say=str(known.get("say", "")),
    )
