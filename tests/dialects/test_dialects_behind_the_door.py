"""No dialect can leak: each is given what the door of its sink shows, and every byte is searched.

The sinks are those of the examples in docs/platform/dialects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docs.generate.dialects import page_of
from gateway.app.outward.doors import Passage
from gateway.dialects import registry
from gateway.dialects.births import births_of
from gateway.dialects.contract import DialectSetup
from gateway.model.publication import Publication
from gateway.model.record import EventBody, ReplyBody
from gateway.privacy.door import Door
from gateway.settings.load import load_site
from gateway.settings.site import Device
from gateway.settings.site_place import Location
from gateway.settings.site_privacy import Choice
from gateway.settings.site_sinks import Sink
from tests.support.natives import EP, GATE, GATE_COLUMN, NOW, committed, gate, meter, prop, setup

PLATE, NAME, ROOM, NOTE = "CANARY-PLATE", "CANARY-NAME", "CANARY-ROOM", "CANARY-NOTE"
RIDS = {"thingsboard": "rpc|5|0|gate-01"}
"""Of a command, where a dialect finds in it what its platform asked."""
PUBLIC = "closed"
"""The state of the gate, which everybody may see."""
REST = """\
version: 1
gateway: {id: gw-01, site: my-site}
buses: {meters: {port: by-path/usb-1.2}}
devices: []
"""


def _sink(name: str, folder: Path) -> Sink:
    """Return the sink of the example on a dialect's page; devices need not log in first."""
    example = re.search(r"```yaml fragment\n(.*?)```", page_of(name).read_text("utf-8"), re.DOTALL)
    assert example is not None
    file = folder / "site.yaml"
    file.write_text(REST + example[1], encoding="utf-8")
    loaded = load_site(file)
    assert loaded.site is not None
    (sink,) = loaded.site.sinks.values()
    if name == "alink":
        products = dict.fromkeys(("parking.gate", "meter.electricity"), "a1Product")
        options = {**sink.options, "sessions": "none", "quality": "event", "products": products}
        return replace(sink, options=options)
    return sink


def _devices() -> tuple[Device, ...]:
    """Return a meter and a gate that stand at somebody's flat and carry a name."""
    where = Location({"bldg": "3", "room": ROOM})
    title = {"zh": NAME}
    return tuple(replace(one, location=where, title=title, owner=NAME) for one in (meter(), gate()))


def _said(name: str, sink: Sink) -> bytes:
    """Return all that a dialect says from connect to goodbye, one byte after the other."""
    devices = _devices()
    door = Door(sink, devices)
    made = replace(setup(), sink=sink)
    dialect = registry.load(name).make(
        DialectSetup(made.gateway, sink, made.software, EP, secret=lambda _: "Secret-1")
    )
    spec = dialect.connect_spec(NOW)
    births = births_of(devices, door)
    said = [*dialect.connected(births, (), NOW)]
    raised = EventBody("e1", "car", 1, "raised", "plate", PLATE, detail=NOTE)
    batch = (
        committed(prop("closed", False, PLATE, column=GATE_COLUMN), GATE, seq=1),
        committed(raised, GATE, seq=2),
        committed(ReplyBody(RIDS.get(name, "r1"), "done", None, NOTE, "plate", PLATE), GATE, seq=3),
    )
    passed = Passage(door).through(batch)
    for is_backfill in (False, True):
        said += dialect.encode(passed.items, NOW, is_backfill=is_backfill).publications
    said += [*dialect.tick(NOW), *dialect.reloaded(births, NOW), *dialect.goodbye(NOW)]
    will = b"" if spec.will is None else spec.will.topic.encode() + spec.will.payload
    return will + b"\n".join(_bytes(said))


def _bytes(said: list[Publication]) -> Iterator[bytes]:
    for publication in said:
        yield publication.topic.encode() + b" " + publication.leaving()


@pytest.mark.parametrize("name", registry.names())
def test_what_may_not_leave_is_in_no_byte(name: str, tmp_path: Path) -> None:
    sink = _sink(name, tmp_path)
    shut = _said(name, replace(sink, max_level="L2", allow=None))
    assert PUBLIC.encode() in shut, "it says nothing at all"
    assert [canary for canary in (PLATE, NAME, ROOM, NOTE) if canary.encode() in shut] == []


@pytest.mark.parametrize("name", registry.names())
def test_the_search_would_find_it(name: str, tmp_path: Path) -> None:
    sink = replace(
        _sink(name, tmp_path), max_level="L4", allow=(Choice(("*",)), Choice(("plate",)))
    )
    assert PLATE.encode() in _said(name, sink)
