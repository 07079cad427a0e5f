"""Field buses, part 7: card readers of OSDP; who holds a card stays in the building."""

from __future__ import annotations

from pathlib import Path

from simulators.script import Happening
from tests.e2e.support_stage import HEAD, stage, until

SITE = """\
$ALL
buses:
  doors: {port: $PORTS/doors, line: 9600 8N1, protocol: osdp}
devices:
  - {id: door-1, profile: generic/osdp-reader, bus: doors, address: "1"}
  - {id: door-2, profile: generic/osdp-reader, bus: doors, address: "2"}
"""
CARD = "04A1B2C3D4E580"
PSEUDONYM_DIGITS = 16


async def test_wire_07_a_card_reaches_a_platform_that_may_see_all_as_a_pseudonym_only(
    tmp_path: Path,
) -> None:
    allow = "max_level: L4, allow: [{points: ['*']}, {points: [credential, keypad]}]"
    text = SITE.replace("$ALL", HEAD.replace("dialect: native,", f"dialect: native, {allow},"))
    async with stage(tmp_path, text) as on:
        await on.platform.until_good("door-2", "tamper")
        for point, value in (("credential", CARD), ("tamper", True)):
            assert await on.community.happen(
                Happening(0.0, 60.0, device="door-1", point=point, value=value)
            )
        await until(
            lambda: any(v.value is True for v in on.platform.good("door-1", "tamper")), "tamper"
        )
        await on.platform.until_good("door-1", "credential", count=0)
        await until(lambda: bool(on.platform.good("door-1", "credential")), "a card")
        shown = {str(v.value) for v in on.platform.good("door-1", "credential")}
        assert all(len(value) == PSEUDONYM_DIGITS for value in shown), shown
        assert (await on.lines())["doors"]["is_up"]
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any("outbox" in str(file) for file in kept)
    for file in kept:
        octets = file.read_bytes()
        assert CARD.encode() not in octets, file
        assert bytes.fromhex(CARD) not in octets, file
