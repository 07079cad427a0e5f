"""Field buses, part 5: fire transmitters of GB/T 26875.3 call and speak by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.community import Options
from simulators.script import Happening, Script
from tests.e2e.support_stage import stage, until

SITE = """\
$HEAD
buses:
  fire: {listen: {host: 127.0.0.1, port: $TCP, transport: TRANSPORT}, protocol: gbt26875.3}
devices:
  - {id: tx-1, profile: generic/gbt26875-transmitter, bus: fire, address: "010203040506"}
  - {id: smoke-217, profile: generic/gbt26875-device, bus: fire, address: "010203040506/6.217"}
"""


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_wire_05_an_alarm_of_a_detector_reaches_the_platform_as_an_event(
    transport: str, tmp_path: Path
) -> None:
    text = SITE.replace("TRANSPORT", transport)
    script = Script(
        seed=2, happenings=(Happening(0.0, 60.0, device="smoke-217", point="alarm", value=True),)
    )
    async with stage(tmp_path, text, options=Options(tmp_path / "ports", script)) as on:
        platform = on.platform
        await platform.until_good("smoke-217", "fault")
        assert await on.community.happen(script.happenings[0])
        await until(
            lambda: any(
                m.kind == "event" and m.device == "smoke-217" and m.body.get("st") == "raised"
                for m in platform.messages
            ),
            "the event of the alarm",
        )
        assert (await on.lines())["fire"]["is_up"]
        assert not platform.auditor.false, list(platform.auditor.false)
        on.community.faults.heal()
        read = await on.linli("read", "smoke-217")
        assert read.status == 1
        assert "speaks by itself" in read.err
