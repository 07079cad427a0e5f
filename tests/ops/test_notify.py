"""The service manager hears what the gateway does, in its own words."""

import socket
from pathlib import Path

from gateway.ops.notify import ServiceManager


def test_ready_and_watchdog_reach_the_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        ours = ServiceManager(
            {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000000"}
        )
        ours.ready("2 lines up")
        ours.feed_watchdog()
        ours.reloading(1.5)
        assert manager.recv(1024) == b"READY=1\nSTATUS=2 lines up"
        assert manager.recv(1024) == b"WATCHDOG=1"
        assert manager.recv(1024) == b"RELOADING=1\nMONOTONIC_USEC=1500000"
        assert ours.watchdog_s == 30.0


def test_without_a_service_manager_nothing_happens(tmp_path: Path) -> None:
    ServiceManager({}).ready("")
    ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).stopping()


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        ours = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(2000):
            ours.feed_watchdog()
