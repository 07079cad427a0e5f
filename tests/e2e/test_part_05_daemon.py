"""Part 5, the running gateway: status, read, write, monitor, and a site that changes under it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from tests.e2e.support_cli import linli_beside
from tests.e2e.support_stage import METER, Stage, gateway_at, stage, until
from tests.support.gateway_process import Folders, GatewayProcess

SWITCHED = METER.replace("e2e/meter", "e2e/switched") + (
    "  relay: {table: coil, type: bool, register: 1, value: bool, access: rw, write: {},"
    " group: power, priority: normal, pii: P0, level: L1}\n"
)
BUSES = """\
$HEAD
buses:
  net: {tcp: "127.0.0.1:$TCP"}
  wire: {port: $PORTS/wire, line: 38400 8N1}
devices:
  - {id: em-1, profile: e2e/meter, bus: net, address: 1}
  - {id: em-2, profile: e2e/switched, bus: wire, address: 2}
"""
ONE_MORE = BUSES + "  - {id: em-3, profile: e2e/meter, bus: net, address: 3}\n"
BAD = ONE_MORE + "  - {id: em-4, profile: e2e/nothing, bus: net, address: 4}\n"


async def test_part_05_the_running_gateway_answers_the_command_line(tmp_path: Path) -> None:
    async with stage(tmp_path, BUSES, profiles=[METER, SWITCHED]) as on:
        await on.platform.until_good("em-1")
        await on.platform.until_good("em-2")
        await until_all_online(on, 2)
        status = (await on.linli("status", "--json")).json()
        assert (status["gateway"], status["site"], status["fallback"]) == ("gw-1", "e2e", [])
        assert (status["devices"], status["offline"]) == (2, {})
        assert status["taken"] > 0
        assert status["sinks"][0]["connected"] is True
        text = await on.linli("status")
        assert "2 of 2 online" in text.out
        began_ms = on.community.clock.now_ms()
        read = (await on.linli("read", "em-1", "u_a", "p_tot", "--json")).json()["pts"]
        span = (began_ms, on.community.clock.now_ms())
        assert [(one["p"], one["u"]) for one in read] == [("u_a", "V"), ("p_tot", "W")]
        ledger = on.community.ledger
        assert all(ledger.holds("em-1", one["p"], one["v"], span) for one in read)
        wrote = await on.linli("write", "em-2", "relay", "true", "--json")
        assert wrote.json()["pts"] == [{"p": "relay", "v": True}]
        assert on.community.devices["em-2"].values()["relay"] is True
        for words in (("read", "em-9"), ("read", "em-1", "no_point"), ("write", "em-1", "u_a", 1)):
            refused = await on.linli(*words)
            assert refused.status == 1
            assert refused.err.startswith("linli: ")


async def test_part_05_monitor_shows_values_and_frames_until_it_is_interrupted(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, BUSES, profiles=[METER, SWITCHED]) as on:
        await on.platform.until_good("em-2")
        values = await monitored(on, 4, "em-2")
        assert {one["dev"] for one in values} == {"em-2"}
        assert all(point.keys() >= {"p", "v"} for one in values for point in one["pts"])
        frames = await monitored(on, 6, "--raw", "wire")
        known = {one.frame.hex(" ") for one in on.heard["wire"].asked}
        sent = [one["hex"] for one in frames if one["hex"] in known]
        assert sent, frames


async def test_part_05_a_reload_touches_nothing_that_did_not_change(tmp_path: Path) -> None:
    profiles = [METER, SWITCHED]
    async with stage(tmp_path, ONE_MORE, profiles=profiles, begin_with=BUSES) as on:
        for device in ("em-1", "em-2"):
            await on.platform.until_good(device, count=2)
        before = {**await on.units("net"), **await on.units("wire")}
        assert on.heard["net"].count(3) == 0
        on.rewrite(ONE_MORE)
        on.gateway.process.send_signal(signal.SIGHUP)
        await on.platform.until_good("em-3", "ep_imp", count=2)
        assert "em-3" in {one.device for one in on.platform.messages if one.kind == "birth"}
        for device in ("em-1", "em-2"):
            await on.platform.until_good(device, count=2)
        after = {**await on.units("net"), **await on.units("wire")}
        for unit in ("1", "2"):
            assert after[unit]["requests"] > before[unit]["requests"], "the count goes on"
            assert after[unit]["errors"] == 0
        assert_never_reconnected(on, lines=2)
        again = (await on.linli("reload", "--json")).json()
        assert again == {"applied": True, "problems": [], "changes": "nothing changed"}
        without_wire = ONE_MORE.replace("  wire:", "  spare:").replace(
            "$PORTS/wire", "$PORTS/spare"
        )
        without_wire = without_wire.replace("bus: wire", "bus: net")
        on.rewrite(without_wire)
        assert (await on.linli("reload")).status == 0
        await on.platform.until_good("em-1", count=2)
        assert set(await on.lines()) == {"net", "spare"}
        count = on.heard["wire"].count(2)
        await on.platform.until_good("em-3", count=3)
        assert on.heard["wire"].count(2) == count, "a line that is gone is asked no more"
        assert on.community.servers["net"].connections == 1
        on.platform.nothing_false()


async def test_part_05_a_bad_file_leaves_the_old_site_running_also_after_a_restart(
    tmp_path: Path,
) -> None:
    profiles = [METER, SWITCHED]
    async with stage(tmp_path, ONE_MORE, profiles=profiles, begin_with=BUSES) as on:
        await on.platform.until_good("em-1")
        on.rewrite(ONE_MORE)
        assert (await on.linli("reload")).status == 0
        await on.platform.until_good("em-3")
        on.rewrite(BAD)
        refused = await on.linli("reload")
        assert refused.status == 78
        assert "e2e/nothing" in refused.err
        assert "the old site goes on" in refused.err
        await on.platform.until_good("em-3", count=2)
        status = (await on.linli("status", "--json")).json()
        assert status["devices"] == 3
        assert any("e2e/nothing" in text for text in status["fallback"])
        assert_never_reconnected(on, lines=2)
        assert await asyncio.to_thread(on.gateway.stop) == 0
        on.platform.values.clear()
        async with gateway_at(on.file) as second:
            await on.platform.until_good("em-3", count=2)
            status = (await on.linli("status", "--json")).json()
            assert (status["devices"], len(status["fallback"])) == (3, 1)
            assert "the last good site runs" in second.log.read_text("utf-8")
        strict = GatewayProcess(on.file, Folders(tmp_path), "--strict")
        assert await asyncio.to_thread(strict.process.wait, 60) == 78
        await asyncio.to_thread(strict.__exit__, None, None, None)
        on.rewrite(ONE_MORE)
        async with gateway_at(on.file, "--strict"):
            status = (await on.linli("status", "--json")).json()
            assert status["fallback"] == []
        on.platform.nothing_false()


async def test_part_05_a_gateway_without_any_good_site_exits_with_78(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("version: 2\n", encoding="utf-8")
    done = await linli_beside("run", "-c", file, base=tmp_path)
    assert done.status == 78
    assert f"{file}:1:" in done.err


async def until_all_online(on: Stage, count: int) -> None:
    """Wait until the platform knows that so many devices are there."""
    await until(
        lambda: (
            sum(is_online for name, is_online in on.platform.auditor.online.items() if name != "_")
            >= count
        ),
        f"{count} devices online",
    )


def assert_never_reconnected(on: Stage, *, lines: int) -> None:
    """Demand that every line was opened once and never lost."""
    log = on.gateway.log.read_text(encoding="utf-8")
    assert log.count("line up") == lines
    assert "line down" not in log


async def monitored(on: Stage, count: int, *words: str) -> list[dict[str, Any]]:
    """Return the first results of `linli monitor`, which is then ended with Ctrl-C."""
    socket = str(on.gateway.folders.control_socket)
    monitor = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "gateway.cli.main", "monitor", *words, "--json",
        "--socket", socket, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert monitor.stdout is not None
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found.append(json.loads(await monitor.stdout.readline()))
        monitor.send_signal(signal.SIGINT)
        await monitor.stdout.read()
        assert await monitor.wait() == 130
    return found
