"""Every record kind in the words of every Alink platform, held against golden files.

`python -m tests.dialects.test_alink_golden` writes them anew; the diff is then read by people.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.dialects.alink.dialect import DIALECT, Alink
from gateway.dialects.alink.profiles import names
from gateway.dialects.contract import Encoded
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import GOOD, SIMULATED, Mark, Quality, bad
from gateway.model.record import (
    Body,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    ReplyBody,
    StateBody,
)
from tests.support.alinks import (
    BIRTHS,
    GATE,
    METER,
    NOW,
    alink,
    arrival,
    record,
    setup,
    shown,
    values,
)

GOLDEN = Path(__file__).parent / "alink"
MARKS = (GOOD, SIMULATED, bad("timeout"))
BODIES: dict[str, tuple[DeviceId, Body]] = {
    "live": (METER, values(12345.0, 230.1, 7)),
    "live-of-the-gateway": (GATEWAY_ITSELF, values(1.0, 2.5, 3)),
    "live-bad": (METER, values(12345.67, 230.1, None, marks=MARKS)),
    "live-stale": (METER, values(1.5, 2.5, 3, marks=(GOOD, GOOD, Mark(Quality.STALE, "leased")))),
    "snapshot": (METER, values(1.5, 2.5, 3, offsets_ms=(0, -900000, 0), is_snapshot=True)),
    "nothing-good": (METER, values(None, None, None, marks=(bad("timeout"),) * 3)),
    "event": (GATE, EventBody("01KA", "leak", 3, "raised", "is_open", True, 0.5, "fire", "b 3")),
    "event-of-the-gateway": (GATEWAY_ITSELF, EventBody("e1", "clock_step", 1, "raised")),
    "offline": (METER, StateBody(False, "timeout", 1763888399000)),
    "online": (METER, StateBody(True, "answered", 1763888399000)),
    "reply-to-set": (METER, ReplyBody("set::em-01:77", "done", None, None, "u_a", 1.0)),
    "reply-to-call": (
        METER,
        ReplyBody("call:open:em-01:78", "done", readback=values(1.0, 2.0, None, marks=MARKS)),
    ),
    "reply-refused": (METER, ReplyBody("set::em-01:79", "rejected", "range", "u_a 9 is above 5")),
    "gap": (GATEWAY_ITSELF, GapBody(Lane.TELEMETRY, 1, 1000, 1000, "quota", 5, 6)),
    "log": (GATEWAY_ITSELF, LogBody("line", (("line", "meters"), ("why", "gone")))),
}


def _encoded(profile: str, kind: str) -> Encoded:
    device, body = BODIES[kind]
    dialect = alink(profile)
    if kind == "online":
        dialect.encode([record(StateBody(False, "x", 0), seq=9)], NOW, is_backfill=False)
    return dialect.encode([record(body, device)], NOW, is_backfill=False)


def _shown(encoded: Encoded) -> dict[str, Any]:
    return {
        "messages": [shown(each) for each in encoded.publications],
        "withheld": list(encoded.withheld),
        "refused": [each.reason for each in encoded.refused],
    }


def _connection(profile: str) -> dict[str, Any]:
    dialect = Alink(setup(profile))
    spec = dialect.connect_spec(NOW)
    connected = dialect.connected(BIRTHS, (), NOW)
    return {
        "client_id": spec.client_id,
        "username": spec.username,
        "password": spec.password,
        "subscriptions": [each.topic for each in spec.subscriptions],
        "connected": [shown(each) for each in connected],
    }


def _history(profile: str) -> Encoded:
    batch = [
        record(values(1.0, 2.5, 3), seq=1, age_ms=90_000),
        record(values(1.5, 2.5, 4), seq=2, age_ms=60_000),
        record(values(None, 2.5, None, marks=MARKS), GATE, seq=3, age_ms=50_000),
    ]
    return alink(profile).encode(batch, NOW, is_backfill=True)


def said(profile: str) -> dict[str, Any]:
    """Return everything that a golden file holds of a profile."""
    found = {kind: _shown(_encoded(profile, kind)) for kind in BODIES}
    return {
        "connection": _connection(profile),
        **found,
        "history": _shown(_history(profile)),
        "goodbye": [shown(each) for each in alink(profile).goodbye(NOW)],
    }


@pytest.mark.parametrize("profile", names())
def test_everything_that_is_said_equals_the_golden_file(profile: str) -> None:
    golden = json.loads((GOLDEN / f"{profile}.json").read_text(encoding="utf-8"))
    assert said(profile) == golden


def _topics(shown_there: object) -> Iterator[str]:
    """Yield every topic in a golden file."""
    if isinstance(shown_there, dict):
        for key, value in cast("dict[str, object]", shown_there).items():
            yield from (str(value),) if key == "topic" else _topics(value)
    elif isinstance(shown_there, list):
        for each in cast("list[object]", shown_there):
            yield from _topics(each)


def test_every_topic_that_is_published_is_declared() -> None:
    declared = [
        re.compile(
            re.sub(
                r"\{[a-z]+\}", "[^/]+", re.escape(one.topic).replace(r"\{", "{").replace(r"\}", "}")
            )
        )
        for one in DIALECT.sent
    ]
    said_there = set(_topics(json.loads((GOLDEN / "aliyun.json").read_text(encoding="utf-8"))))
    dialect = alink()
    for rid in ("get::em-01:1", "rrpc:77:em-01:2"):
        encoded = dialect.encode([record(ReplyBody(rid, "done"))], NOW, is_backfill=False)
        said_there |= {each.topic for each in encoded.publications}
    notice: dict[str, Any] = {"id": "1", "params": {"status": 8, "subList": []}}
    received = dialect.received(arrival("/sys/pkGw/gw03/thing/topo/change", notice), NOW)
    bound = Alink(setup(topology=True)).connected(BIRTHS, (), NOW)
    said_there |= {each.topic for each in (*received.publications, *bound, *dialect.tick(NOW))}
    missing = [topic for topic in said_there if not any(one.fullmatch(topic) for one in declared)]
    assert len(said_there) > 10
    assert missing == []


def test_every_profile_has_a_golden_file_and_no_file_is_left_over() -> None:
    assert sorted(file.stem for file in GOLDEN.glob("*.json")) == sorted(names())


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in names():
        text = json.dumps(said(name), ensure_ascii=False, indent=1)
        (GOLDEN / f"{name}.json").write_text(text + "\n", encoding="utf-8")
