"""The whole main job on a stage: simulated lines, the gateway as a child, a broker, a platform.

    async with stage(tmp_path, SITE) as on:
        await on.platform.until_good("em-01", "u_a")

The text of a site names what is only known here by `$BROKER` (its port), `$PORTS` (a folder for
serial ports) and `$TCP` (a free port); `$HEAD` is a gateway with one platform.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiomqtt

from gateway.ops.control import ask
from gateway.settings.load import load_site
from gateway.settings.site import Line, Site
from simulators.community import Community, Options, sim_device, simulated
from simulators.frames import FRAMINGS, Asked
from simulators.ledger import Ledger
from simulators.platform import Auditor
from simulators.units import Outgoing, Units
from tests.e2e.support_cli import Finished, linli_beside
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import free_port, mosquitto
from tests.support.subscribers import body, subscriber

WAIT_S = 60.0
"""Longest wait for anything; a busy machine is no failure."""
LOOK_EVERY_S = 0.02
GOOD = 192

HEAD = """\
version: 1
gateway: {id: gw-1, site: e2e, clock: trusted}
store: {commit_every: 50ms}
sinks:
  platform: {dialect: native, url: "mqtt://127.0.0.1:$BROKER"}
"""

METER = """\
version: 1
profile: e2e/meter
vendor: Linli
model: test meter
title: {en: Test meter, zh: 测试表}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for this test]
groups: {power: 200ms, energy: 200ms}
defaults: {table: holding, type: f32}
points:
  u_a: {register: 0}
  i_a: {register: 2}
  p_tot: {register: 4}
  ep_imp: {register: 6, group: power, priority: normal}
"""
"""Four floats in one block of eight registers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One value as the platform got it."""

    device: str
    point: str
    value: Any
    unit: str | None
    quality: int
    reason: str | None
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it came."""

    topic: str
    kind: str
    device: str
    body: dict[str, Any]
    payload: bytes
    is_retained: bool


class Platform:
    """A subscriber to everything; the auditor holds good values against the ledger."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        """Begin with nothing heard."""
        self.auditor = Auditor(ledger)
        self.messages: list[Message] = []
        self.values: list[Seen] = []

    async def listen(self, client: aiomqtt.Client) -> None:
        """Take messages until cancelled."""
        async for message in client.messages:
            topic, payload = str(message.topic), body(message)
            self.auditor.take(topic, payload)
            words = topic.split("/")
            if not payload or len(words) != 7:
                continue
            found = json.loads(payload)
            self.messages.append(
                Message(topic, words[5], words[6], found, payload, bool(message.retain))
            )
            for record in found.get("items", [found]):
                if record.get("k", words[5]) in {"prop", "hist"}:
                    self.values += _values(words[6], record)

    def of(self, device: str, point: str | None = None) -> list[Seen]:
        """Return all values of a device, or of one point of it, in order of arrival."""
        return [
            seen
            for seen in self.values
            if seen.device == device and (point is None or seen.point == point)
        ]

    def reasons(self, device: str) -> set[str]:
        """Return the reasons of all bad values of a device."""
        return {seen.reason or "" for seen in self.of(device) if seen.quality != GOOD}

    def good(self, device: str, point: str | None = None) -> list[Seen]:
        """Return good values."""
        return [seen for seen in self.of(device, point) if seen.quality == GOOD]

    async def until_good(self, device: str, point: str | None = None, *, count: int = 1) -> None:
        """Wait until so many more good values have come."""
        wanted = len(self.good(device, point)) + count
        await until(
            lambda: len(self.good(device, point)) >= wanted,
            f"{count} good values of {device}/{point or '*'}",
        )

    async def until_reason(self, device: str, reason: str) -> None:
        """Wait until a bad value of a device came with this reason."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while reason not in self.reasons(device):
                    await asyncio.sleep(LOOK_EVERY_S)
        assert reason in self.reasons(device), (device, reason, self.reasons(device))

    def nothing_false(self) -> None:
        """Demand that every good value was in the ledger, and every record whole."""
        auditor = self.auditor
        assert not auditor.false, list(auditor.false)
        assert (auditor.conflicts, auditor.unreadable, auditor.unchecked) == (0, 0, 0)


class WatchedUnits(Units):
    """Simulated units that note every request they hear."""

    def __init__(self, units: Units) -> None:
        """Take the place of those units."""
        self.__dict__.update(units.__dict__)
        self.asked: list[Asked] = []

    def respond(self, asked: Asked) -> Outgoing | None:
        """Note it, and answer."""
        self.asked.append(asked)
        return super().respond(asked)

    def count(self, unit: int) -> int:
        """Return how many requests went to a unit."""
        return sum(asked.unit == unit for asked in self.asked)

    def pdus(self, unit: int, since: int = 0) -> list[str]:
        """Return the requests to a unit in hex, from the nth request of the line on."""
        return [asked.pdu.hex(" ") for asked in self.asked[since:] if asked.unit == unit]


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs."""

    folder: Path
    file: Path
    platform: Platform
    community: Community
    heard: Mapping[str, WatchedUnits]
    """What every line's devices were asked."""
    gateway: GatewayProcess
    words: Mapping[str, object]

    def rewrite(self, text: str) -> None:
        """Change the site file."""
        write_site(self.folder, text, **self.words)

    async def linli(self, *words: object) -> Finished:
        """Run a command of `linli` against the gateway."""
        return await linli_beside(*words, base=self.folder)

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Ask the gateway over its control socket, as `linli` does."""
        async with asyncio.timeout(WAIT_S):
            async for answer in ask(self.gateway.folders.control_socket, op, **arguments):
                return answer
        raise AssertionError(f"no answer to {op}")

    async def lines(self) -> dict[str, dict[str, Any]]:
        """Return the statistics of every line with its units, by name."""
        return {line["line"]: line for line in await self.ask("lines")}

    async def units(self, line: str) -> dict[str, dict[str, Any]]:
        """Return the statistics of every unit of a line, by its number."""
        return {unit["unit"]: unit for unit in (await self.lines())[line]["units"]}


async def until(is_so: Callable[[], bool], what: str, *, within_s: float = WAIT_S) -> None:
    """Wait for something to become true."""
    try:
        async with asyncio.timeout(within_s):
            while not is_so():
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"it did not come: {what}") from None


def write_profile(folder: Path, text: str) -> Path:
    """Put a profile where the gateway of this folder looks first."""
    name = next(
        line.split(":")[1].strip() for line in text.splitlines() if line.startswith("profile:")
    )
    file = folder / "etc" / "profiles" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def write_site(folder: Path, text: str, **words: object) -> Path:
    """Write the site file of this folder, with its words filled in."""
    (folder / "ports").mkdir(exist_ok=True)
    for name, value in {"HEAD": HEAD, **words, "PORTS": folder / "ports"}.items():
        text = text.replace(f"${name}", str(value))
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def site_of(file: Path, *, but: Collection[str] = ()) -> Site:
    """Return the site of a file, all its buses to be simulated but some."""
    loaded = load_site(file, profile_dirs=[file.parent / "etc" / "profiles"])
    assert loaded.site is not None, [problem.text() for problem in loaded.problems]
    lines = {
        name: replace(line, is_simulated=name not in but)
        for name, line in loaded.site.lines.items()
    }
    return replace(loaded.site, lines=lines)


@asynccontextmanager
async def platform_at(port: int, ledger: Ledger | None = None) -> AsyncGenerator[Platform]:
    """Subscribe to everything that goes up while the block runs."""
    platform = Platform(ledger)
    async with subscriber(port, "fc/#") as client, asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(platform.listen(client), name="platform")
        try:
            yield platform
        finally:
            listening.cancel()


@asynccontextmanager
async def gateway_at(file: Path, *options: str) -> AsyncGenerator[GatewayProcess]:
    """Run the gateway on a site file, with its folders beside the file."""
    process = GatewayProcess(file, Folders(file.parent), *options)
    try:
        await asyncio.to_thread(process.wait_ready)
        yield process
    except BaseException as error:
        await asyncio.to_thread(process.__exit__, type(error), error, None)
        raise
    else:
        await asyncio.to_thread(process.__exit__, None, None, None)


@asynccontextmanager
async def stage(
    folder: Path,
    text: str,
    *,
    profiles: Sequence[str] = (METER,),
    options: Options | None = None,
    but: Collection[str] = (),
    begin_with: str | None = None,
) -> AsyncGenerator[Stage]:
    """Run a site with everything around it while the block runs.

    `but` names lines that the test itself simulates. With `begin_with` the gateway starts on that
    text, while the simulators are those of `text`, and `Stage.rewrite` changes it.
    """
    for profile in profiles:
        write_profile(folder, profile)
    with mosquitto(folder) as broker, Ledger() as ledger:
        words: dict[str, object] = {"BROKER": broker.port, "TCP": free_port()}
        file = write_site(folder, text, **words)
        around = options or Options(folder / "ports")
        async with (
            simulated(site_of(file, but=but), around, ledger) as community,
            platform_at(broker.port, ledger) as platform,
        ):
            heard = watch(community)
            write_site(folder, begin_with or text, **words)
            async with gateway_at(file) as gateway:
                yield Stage(folder, file, platform, community, heard, gateway, words)


def watch(community: Community) -> dict[str, WatchedUnits]:
    """Let all Modbus lines and servers note what they are asked, from the next connection on."""
    heard = {name: WatchedUnits(units) for name, units in community.units.items()}
    for name, line in community.lines.items():
        line.units = heard.get(name, line.units)
    for name, server in community.servers.items():
        server.units = heard.get(name, server.units)
    return heard


def units_on(site: Site, line: Line, community: Community) -> WatchedUnits:
    """Return the units of a line that the test itself puts on a link."""
    options = Options(Path())
    twins = [
        sim_device(device, options, community.ledger)
        for device in site.devices.values()
        if device.line == line.name
    ]
    units = Units(FRAMINGS[line.protocol], twins, community.clock, community.faults)
    return WatchedUnits(units)


def _values(device: str, record: dict[str, Any]) -> list[Seen]:
    ts_ms = int(record.get("ts", 0))
    return [
        Seen(
            str(record.get("dev", device)),
            entry["p"],
            entry.get("v"),
            entry.get("u"),
            int(entry.get("q", GOOD)),
            entry.get("qr"),
            ts_ms + int(entry.get("t", 0)),
        )
        for entry in record.get("pts", ())
    ]
