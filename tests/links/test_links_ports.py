"""Serial ports of a machine that is made of folders."""

import os
from pathlib import Path

from gateway.links.ports import Holder, Machine, list_ports, port_holders


def _machine(root: Path) -> Machine:
    machine = Machine(root / "dev", root / "sys", root / "proc")
    usb = root / "sys/devices/usb1/1-2"
    drivers = root / "sys/bus/drivers"
    for name, folder, kind in (("ttyUSB0", usb / "1-2:1.0", None), ("ttyS0", root / "uart", "0")):
        tty = root / "sys/class/tty" / name
        for one in (folder, tty, drivers / "ch341-uart", root / "dev"):
            one.mkdir(parents=True, exist_ok=True)
        (root / "dev" / name).touch()
        (tty / "device").symlink_to(folder)
        (folder / "driver").symlink_to(drivers / "ch341-uart")
        if kind is not None:
            (tty / "type").write_text(kind)
    (root / "sys/class/tty/tty0").mkdir()
    (usb / "product").write_text("USB Serial\n")
    for kind, name in (("by-id", "usb-1a86"), ("by-path", "pci-usb-0:2:1.0")):
        folder = root / "dev/serial" / kind
        folder.mkdir(parents=True)
        (folder / name).symlink_to(os.path.relpath(root / "dev/ttyUSB0", folder))
    process = root / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("modpoll\n")
    (process / "fd/3").symlink_to(root / "dev/ttyUSB0")
    (process / "fd/4").symlink_to("socket:[1]")
    return machine


def test_a_port_is_listed_with_its_stable_names_and_its_holder(tmp_path: Path) -> None:
    (port,) = list_ports(_machine(tmp_path))
    assert port.path == str(tmp_path / "dev/ttyUSB0")
    assert port.by_id == ("by-id/usb-1a86",)
    assert port.name == "by-path/pci-usb-0:2:1.0"
    assert port.driver == "ch341-uart"
    assert port.product == "USB Serial"
    assert port.holders == (Holder(4711, "modpoll"),)


def test_holders_are_found_by_any_name(tmp_path: Path) -> None:
    machine = _machine(tmp_path)
    for name in ("by-id/usb-1a86", str(tmp_path / "dev/ttyUSB0")):
        assert port_holders(name, machine) == (Holder(4711, "modpoll"),)
    assert port_holders("by-id/none", machine) == ()


def test_a_machine_without_ports_has_none(tmp_path: Path) -> None:
    assert list_ports(Machine(tmp_path, tmp_path, tmp_path)) == ()
