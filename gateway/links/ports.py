"""The serial ports of this machine: their names, what they are, and who has them open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.links.serial_names import port_path


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the kernel shows ports and processes; tests put folders of their own in place."""

    dev: Path = Path("/dev")
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")


THIS_MACHINE = Machine()


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a port open."""

    pid: int
    command: str


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A serial port. The first of its names is the one to write into a site file."""

    path: str
    by_path: tuple[str, ...]
    by_id: tuple[str, ...]
    driver: str | None
    product: str | None
    holders: tuple[Holder, ...]

    @property
    def name(self) -> str:
        """The most stable name: two adapters of one make share a by-id, never a by-path."""
        return next(iter((*self.by_path, *self.by_id)), self.path)


def list_ports(machine: Machine = THIS_MACHINE) -> tuple[PortInfo, ...]:
    """Return the serial ports that have hardware behind them, by path.

    Who holds a port is seen only of processes that this user may look into.
    """
    by_path = _names(machine.dev / "serial", "by-path")
    by_id = _names(machine.dev / "serial", "by-id")
    holders = _holders(machine.proc)
    ports: list[PortInfo] = []
    for tty in sorted((machine.sys / "class/tty").glob("*")):
        path = machine.dev / tty.name
        driver = tty / "device" / "driver"
        if not driver.exists() or not path.exists() or _is_absent_uart(tty):
            continue
        real = str(path.resolve())
        ports.append(
            PortInfo(
                path=real,
                by_path=tuple(by_path.get(real, ())),
                by_id=tuple(by_id.get(real, ())),
                driver=driver.resolve().name,
                product=_product(tty / "device"),
                holders=tuple(holders.get(real, ())),
            )
        )
    return tuple(ports)


def port_holders(port: str, machine: Machine = THIS_MACHINE) -> tuple[Holder, ...]:
    """Return who has a port open, by any of its names; () also where we may not look."""
    real = str(port_path(port, machine.dev / "serial").resolve())
    return tuple(_holders(machine.proc).get(real, ()))


def _names(root: Path, kind: str) -> Mapping[str, Sequence[str]]:
    """Return the stable names of one kind by the path they lead to now."""
    names: dict[str, list[str]] = {}
    for link in sorted((root / kind).glob("*")):
        names.setdefault(str(link.resolve()), []).append(f"{kind}/{link.name}")
    return names


def _is_absent_uart(tty: Path) -> bool:
    """Whether the kernel keeps a name for an 8250 port that the board does not have."""
    kind = _text(tty / "type")
    return kind == "0"  # PORT_UNKNOWN of linux/serial_core.h


def _product(device: Path) -> str | None:
    """Return what a USB adapter calls itself: in the folder of the device, above its interface."""
    folder = device.resolve()
    for above in (folder, *folder.parents[:3]):
        product = _text(above / "product")
        if product:
            return product
    return None


def _holders(proc: Path) -> Mapping[str, Sequence[Holder]]:
    """Return who has which file open, as far as we may look."""
    found: dict[str, list[Holder]] = {}
    for process in proc.glob("[0-9]*"):
        opened = _opened(process)
        if not opened:
            continue
        holder = Holder(int(process.name), _text(process / "comm") or "?")
        for path in opened:
            found.setdefault(path, []).append(holder)
    return found


def _opened(process: Path) -> set[str]:
    """Return the devices that a process has open; none when it is gone or not ours to see."""
    try:
        fds = list((process / "fd").iterdir())
    except OSError:
        return set()
    paths: set[str] = set()
    for fd in fds:
        try:
            paths.add(str(fd.readlink()))
        except OSError:  # closed meanwhile
            continue
    return {path for path in paths if path.startswith("/") and not path.startswith("/proc/")}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
