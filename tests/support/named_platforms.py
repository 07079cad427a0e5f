"""Records of every kind, and sinks of platforms that know our devices by names of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.dialects.contract import DialectSetup, Encoded, Received
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, SinkName
from gateway.model.publication import Arrival, Publication
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.record import (
    Body,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    StateBody,
)
from gateway.settings.site_sinks import Secret
from tests.support.natives import GATE, GATE_COLUMN, METER, prop, setup

SECRET = "s3cret"  # noqa: S105 - of the vector
SECRET_NAME = Secret("credential", "platform")
SINK = SinkName("province")
RECORDS: dict[str, tuple[DeviceId, Body]] = {
    "prop": (METER, prop(12345.0, 230.0, 3)),
    "prop-bad": (METER, prop(12345.67, 230.1, None, marks=(GOOD, SIMULATED, bad("timeout")))),
    "prop-all-bad": (
        METER,
        prop(None, None, None, marks=(bad("crc"), bad("crc"), Mark(Quality.STALE, "leased"))),
    ),
    "prop-snapshot": (METER, prop(1.5, 2.5, 3.5, offsets_ms=(0, -900000, 0), is_snapshot=True)),
    "prop-mixed": (GATE, prop("open", True, "浙A12345", column=GATE_COLUMN)),
    "event": (
        GATE,
        EventBody("01KAQW7Z", "leak", 3, "raised", "is_open", True, True, "property", "b 3"),
    ),
    "event-of-the-gateway": (GATEWAY_ITSELF, EventBody("e1", "clock_step", 1, "raised")),
    "state": (METER, StateBody(False, "timeout", 1763888399000)),
    "gap": (GATEWAY_ITSELF, GapBody(Lane.TELEMETRY, 1, 1000, 1000, "quota", 5, 6)),
    "log": (GATEWAY_ITSELF, LogBody("line", (("line", "meters"), ("why", 'gone "x"')))),
}
"""Every kind but the reply: its `rid` is in the words of the dialect."""


def setup_of(options: Mapping[str, Any], devices: Mapping[str, Any]) -> DialectSetup:
    """Return who we are on a platform; every secret is the one of the vectors."""
    made = setup(options=options, devices=devices, name=SINK)
    return replace(made, secret=_told)


def _told(_secret: Secret) -> str:
    return SECRET


def arrival(topic: str, payload: object, *, is_retained: bool = False) -> Arrival:
    """Return a message of the platform; anything but bytes becomes JSON."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Arrival(SINK, topic, raw, is_retained)


def as_golden(publications: Sequence[Publication]) -> list[dict[str, Any]]:
    """Return messages as a golden file has them; numbers keep their point."""
    return [
        {
            "topic": one.topic,
            "lane": one.lane.value,
            "covers": list(one.covers),
            "payload": json.loads(one.payload),
        }
        for one in publications
    ]


def golden(folder: Path, name: str) -> Any:
    """Return a golden file. It compares as text, so that 230.0 and 230 differ."""
    return (folder / f"{name}.json").read_text(encoding="utf-8")


def golden_text(publications: Sequence[Publication]) -> str:
    """Return messages as the text of a golden file."""
    return json.dumps(as_golden(publications), ensure_ascii=False, indent=2) + "\n"


def is_whole(encoded: Encoded, seqs: Sequence[int]) -> bool:
    """Whether every record is covered, withheld or refused, and exactly once."""
    found = [seq for one in encoded.publications for seq in one.covers]
    found += encoded.withheld
    found += [seq for one in encoded.refused for seq in one.seqs]
    return sorted(found) == sorted(seqs)


def is_silent(received: Received) -> bool:
    """Whether nothing at all came of a message."""
    return received == Received()
