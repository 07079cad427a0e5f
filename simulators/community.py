"""A whole site simulated: every bus that its file marks `simulated: true`, with its devices."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drivers import registry
from gateway.model.clock import Clock
from gateway.model.link import CallersPort
from gateway.settings.site import (
    Device,
    Line,
    SerialPort,
    Site,
    TcpClient,
    TcpListener,
    UdpPeer,
)
from simulators import wires
from simulators.calling import call_in, send_in
from simulators.clock import WallClock
from simulators.contract import Callers, Simulated, Simulator
from simulators.device import DeviceTraits, SimDevice
from simulators.faults import Faults
from simulators.frames import FRAMINGS
from simulators.image import Holes
from simulators.ledger import Ledger
from simulators.line import SerialLine
from simulators.mixed import Answering, MixedUnits
from simulators.pdu import MAX_BITS, MAX_REGISTERS, Limits
from simulators.physics.scene import chance
from simulators.script import Happening, Script
from simulators.tcp import DtuTraits, Endpoint, TcpServer, dial_out, udp_server
from simulators.twin import Twin
from simulators.units import Units
from simulators.wire import Books, LineTiming

LOOPBACK = "127.0.0.1"
TCP_TURNAROUND_S = 0.005


@dataclass(frozen=True, slots=True)
class Options:
    """How to simulate. Ports become symbolic links in `runtime` unless their path can be made."""

    runtime: Path
    script: Script = field(default_factory=Script)
    chunk_chars: int = 8
    holes: Holes = "zero"
    step_s: float = 0.2
    clock: Clock = field(default_factory=WallClock)


@dataclass(slots=True)
class Community:
    """What runs. `where` says of each bus where it is."""

    ledger: Ledger
    faults: Faults
    clock: Clock
    devices: dict[str, SimDevice] = field(default_factory=dict[str, SimDevice])
    twins: dict[str, Twin] = field(default_factory=dict[str, Twin])
    """Devices of other protocols than Modbus."""
    lines: dict[str, SerialLine] = field(default_factory=dict[str, SerialLine])
    servers: dict[str, TcpServer] = field(default_factory=dict[str, TcpServer])
    units: dict[str, Units] = field(default_factory=dict[str, Units])
    where: dict[str, str] = field(default_factory=dict[str, str])

    def books(self) -> Mapping[str, Books]:
        """Return what the serial lines have seen."""
        return {name: line.books for name, line in self.lines.items()}

    async def happen(self, happening: Happening) -> bool:
        """Let something happen now; False when there is nobody to whom it can."""
        if happening.bus is not None:
            return await self._bus_happens(happening.bus, happening.what)
        name = happening.device or ""
        device = self.devices.get(name) or self.twins.get(name)
        if device is None:
            return False
        now_ms = self.clock.now_ms()
        if happening.point is None or happening.value is None:
            return device.happen(happening.what, now_ms, happening.for_s)
        device.hold(happening.point, happening.value, now_ms, happening.for_s)
        return True

    async def play(self, happenings: tuple[Happening, ...], tell: Callable[[str], None]) -> None:
        """Let a script happen in its time, and tell it."""
        begin = self.clock.monotonic()
        for happening in happenings:
            await asyncio.sleep(max(0.0, begin + happening.at_s - self.clock.monotonic()))
            if await self.happen(happening):
                tell(happening.title)

    def step(self) -> None:
        """Let time pass for all devices, so that what was held ends although nobody asks."""
        for device in (*self.devices.values(), *self.twins.values()):
            device.step(self.clock.now_ms())

    async def _bus_happens(self, bus: str, what: str) -> bool:
        line, server = self.lines.get(bus), self.servers.get(bus)
        if what not in {"unplug", "plug"} or (line is None and server is None):
            return False
        if line is not None:
            await asyncio.to_thread(line.unplug if what == "unplug" else line.plug)
        elif server is not None:
            await (server.unplug() if what == "unplug" else server.plug())
        return True


@asynccontextmanager
async def simulated(site: Site, options: Options, ledger: Ledger) -> AsyncGenerator[Community]:
    """Run the simulated buses of a site while the block runs."""
    faults = Faults(options.script.seed)
    for device, those in options.script.faults.items():
        faults.set(device, *those)
    community = Community(ledger, faults, options.clock)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        dialling: list[asyncio.Task[None]] = []
        for line in site.lines.values():
            if line.is_simulated:
                devices = answering(site, line, options, community)
                task = await _open(line, devices, options, _Opening(community, stack, tasks))
                dialling += [task] if task is not None else []
        try:
            yield community
        finally:
            for task in dialling:
                task.cancel()


def sim_device(device: Device, options: Options, ledger: Ledger | None) -> SimDevice:
    """Return the simulated twin of a device of the site.

    Raises:
        ValueError: it has no Modbus unit number.
    """
    quirks = device.quirks.driver
    traits = DeviceTraits(
        id=device.id,
        unit=_unit_number(device),
        kind=device.kind,
        vendor=device.vendor or "Linli",
        model=device.model or "SIM",
        seed=_seed(options, device),
        first_address=int(getattr(quirks, "first_address", 0) or 0),
        limits=Limits(
            int(getattr(quirks, "max_registers", 0) or MAX_REGISTERS),
            int(getattr(quirks, "max_bits", 0) or MAX_BITS),
        ),
        holes=options.holes,
        step_s=options.step_s,
    )
    return SimDevice(traits, device.points, ledger)


@dataclass(frozen=True, slots=True)
class _Opening:
    community: Community
    stack: AsyncExitStack
    tasks: asyncio.TaskGroup


def answering(
    site: Site, line: Line, options: Options, community: Community
) -> Answering | Callers:
    """Return the devices of a line: Modbus units, others, or both on one pair of wires."""
    devices = [d for d in site.devices.values() if d.line == line.name]
    modbus = [d for d in devices if d.protocol in FRAMINGS]
    others = [d for d in devices if d.protocol not in FRAMINGS]
    if not others:
        community.units[line.name] = units = _units(line, modbus, options, community)
        return units
    groups = _by_protocol(others, options, community)
    found = [(wires.load(registry.driver_of_protocol(p).name), p, g) for p, g in groups.items()]
    slaves = [made for one, p, g in found if (made := one.slaves(p, g)) is not None]
    if not slaves:
        return _callers(line, found, options, community)
    units = _units(line, modbus, options, community) if modbus else None
    mixed = MixedUnits(slaves, options.clock, community.faults, modbus=units)
    is_serial = isinstance(line.link, SerialPort)
    usual_s = line.turnaround_s if is_serial else TCP_TURNAROUND_S
    mixed.turnaround_s = options.script.turnaround_s.get(line.name, usual_s)
    return mixed


def _callers(
    line: Line,
    found: Sequence[tuple[Simulator, str, Sequence[Simulated]]],
    options: Options,
    community: Community,
) -> Answering | Callers:
    """Return devices that speak by themselves; on a wire they answer what is said to them."""
    callers = next((made for one, p, group in found if (made := one.callers(p, group))), None)
    if callers is None:
        raise ValueError(f"bus {line.name}: there is no simulator for {found[0][1]}")
    if not isinstance(line.link, SerialPort):
        return callers
    return MixedUnits((), options.clock, community.faults, callers=callers)


def _by_protocol(
    devices: Iterable[Device], options: Options, community: Community
) -> dict[str, list[Simulated]]:
    groups: dict[str, list[Simulated]] = {}
    for device in devices:
        seed = _seed(options, device)
        twin = Twin(
            device.id,
            device.kind,
            device.points,
            community.ledger,
            seed=seed,
            step_s=options.step_s,
        )
        community.twins[device.id] = twin
        groups.setdefault(device.protocol, []).append(Simulated(device, twin))
    return groups


def _units(line: Line, devices: Sequence[Device], options: Options, community: Community) -> Units:
    twins = [sim_device(d, options, community.ledger) for d in devices]
    community.devices |= {twin.traits.id: twin for twin in twins}
    framing = FRAMINGS[devices[0].protocol if devices else line.protocol]
    units = Units(framing, twins, options.clock, community.faults)
    is_serial = isinstance(line.link, SerialPort)
    usual_s = line.turnaround_s if is_serial else TCP_TURNAROUND_S
    units.set_turnaround(options.script.turnaround_s.get(line.name, usual_s))
    for twin in twins:
        if twin.traits.id in options.script.turnaround_s:
            units.set_turnaround(options.script.turnaround_s[twin.traits.id], twin.traits.unit)
    return units


async def _open(
    line: Line, units: Answering | Callers, options: Options, opening: _Opening
) -> asyncio.Task[None] | None:
    community, stack = opening.community, opening.stack
    if not isinstance(units, Answering):
        return _call(line, units, opening)
    match line.link:
        case SerialPort() as port:
            path = _port_path(port, line, options.runtime)
            serial = SerialLine(path, _timing(port, units, options), units)
            community.lines[line.name] = stack.enter_context(serial)
            community.where[line.name] = str(path)
        case TcpClient(host, number):
            at = Endpoint(host if _is_loopback(host) else LOOPBACK, number)
            server = await stack.enter_async_context(TcpServer(units, at))
            community.servers[line.name] = server
            community.where[line.name] = str(server.at)
        case UdpPeer(host, number):
            at = Endpoint(host if _is_loopback(host) else LOOPBACK, number)
            community.where[line.name] = str(await stack.enter_async_context(udp_server(units, at)))
        case TcpListener(host, number) as listener:
            to = Endpoint(host if _is_loopback(host) else LOOPBACK, number)
            dtu = DtuTraits(to, listener.registration or b"", listener.heartbeat or b"")
            community.where[line.name] = f"dials {to}"
            return opening.tasks.create_task(dial_out(units, dtu), name=f"dtu:{line.name}")
        case _:
            community.where[line.name] = "not simulated: a line in memory"
    return None


def _call(line: Line, callers: Callers, opening: _Opening) -> asyncio.Task[None]:
    """Let devices that speak by themselves call the gateway."""
    link = line.link
    if not isinstance(link, CallersPort):
        raise ValueError(f"bus {line.name}: its devices are simulated on `listen:` only")  # noqa: TRY004 - the site file's fault
    to = Endpoint(link.host if _is_loopback(link.host) else LOOPBACK, link.port)
    opening.community.where[line.name] = f"calls {link.transport} {to}"
    call = call_in if link.transport == "tcp" else send_in
    calling = call(callers, to, opening.community.clock)
    return opening.tasks.create_task(calling, name=f"calls:{line.name}")


def _seed(options: Options, device: Device) -> int:
    return options.script.seed + int(chance(options.script.seed, device.id) * 1e6)


def _timing(port: SerialPort, units: Answering, options: Options) -> LineTiming:
    bits = 1 + port.data_bits + (port.parity != "N") + port.stop_bits
    return LineTiming(
        baud=port.baud,
        bits_per_char=bits,
        chunk_chars=options.chunk_chars,
        is_timed=units.framing.is_timed,
        is_strict=units.is_strict,
    )


def _port_path(port: SerialPort, line: Line, runtime: Path) -> Path:
    """The path of the site file when a link can stand there, else one in the runtime directory."""
    path = Path(port.port)
    is_free = path.is_symlink() or not path.exists()
    is_ours = path.is_absolute() and not path.is_relative_to("/dev")
    return path if is_ours and is_free and path.parent.is_dir() else runtime / str(line.name)


def _unit_number(device: Device) -> int:
    if isinstance(device.unit, int):
        return device.unit
    try:
        return int(device.address_text)
    except ValueError as exc:
        raise ValueError(f"{device.id}: {device.address_text!r} is no Modbus unit") from exc


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
