"""Field buses, part 6: alarm panels of SIA DC-09, in the clear and encrypted."""

from __future__ import annotations

from pathlib import Path

from simulators.community import Options
from simulators.script import Happening, Script
from tests.e2e.support_stage import stage, until

SITE = """\
$HEAD
buses:
  panels: {listen: {host: 127.0.0.1, port: $TCP}, protocol: sia-dc09}
devices:
  - {id: panel-1, profile: generic/contact-id-panel, bus: panels, address: "1234"}
"""


async def test_wire_06_a_burglary_reaches_the_platform_and_no_user_does(tmp_path: Path) -> None:
    happening = Happening(0.0, 60.0, device="panel-1", point="fire", value=True)
    options = Options(tmp_path / "ports", Script(seed=2, happenings=(happening,)))
    async with stage(tmp_path, SITE, options=options) as on:
        platform = on.platform
        await platform.until_good("panel-1", "last_event")
        assert await on.community.happen(happening)
        await until(
            lambda: any(
                m.kind == "event" and m.device == "panel-1" and m.body.get("st") == "raised"
                for m in platform.messages
            ),
            "the event of the fire",
        )
        await until(lambda: any(v.value is True for v in platform.good("panel-1", "fire")), "fire")
        assert not platform.auditor.false, list(platform.auditor.false)
