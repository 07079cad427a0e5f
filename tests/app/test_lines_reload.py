"""A question that meets a reload is answered with a reason, never with a crash."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.app.commands.asking import LineFailed
from gateway.app.field.lines import FieldLines
from gateway.app.field.pipeline import Pipeline
from gateway.app.site.reload import diff
from gateway.bus.session_around import Secrets
from gateway.links.tcp_listener import ListenerHub
from gateway.model.ids import DeviceId, GatewayId, LineName, SiteId
from gateway.model.link import MemoryPort
from gateway.model.record import Record, StateChange
from gateway.ops.clock import SystemClock
from gateway.rules.alarms import Alarms
from gateway.settings.site import (
    Gateway,
    Line,
    Site,
    Store,
)
from gateway.settings.site_commands import Commands
from tests.support.points import NOWHERE, a_device, a_point

LINE = Line(LineName("a"), MemoryPort("nobody-made-it"), "modbus-rtu", NOWHERE)


class _Store:
    async def append(self, records: Sequence[Record], states: Sequence[StateChange] = ()) -> None:
        """Keep nothing."""


def _site() -> Site:
    return Site(
        Gateway(GatewayId("gw"), SiteId("s")),
        {LINE.name: LINE},
        {},
        {},
        Commands(),
        Store(),
        (),
        "",
    )


async def test_a_read_while_its_line_is_opened_afresh_is_refused_with_the_reason() -> None:
    old, clock = _site(), SystemClock(lambda: True)
    meter = DeviceId("em-01")
    new = replace(
        old,
        lines={LINE.name: replace(LINE, pause_s=0.1)},
        devices={meter: a_device(meter, [a_point("u_a")])},
    )
    pipeline = Pipeline(old, _Store(), clock, Alarms({}, {}, str))
    lines = FieldLines(pipeline, ListenerHub(), clock, Secrets(lambda _: None, str))
    async with asyncio.TaskGroup() as tasks:
        lines.start(old, tasks)
        await asyncio.sleep(0)
        change = replace(diff(old, new), lines_new=frozenset())
        applying = tasks.create_task(lines.apply(new, change, tasks), name="apply")
        await asyncio.sleep(0)
        with pytest.raises(LineFailed, match="reloaded"):
            await lines.read(meter, (), within_s=1.0)
        lines.stop()
        await applying
