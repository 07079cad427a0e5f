"""The service file is hardened, and stops on a refused configuration only."""

import subprocess
from pathlib import Path

UNIT = Path("deploy/systemd/linli-gateway.service")


def test_the_exposure_of_the_serial_unit_is_at_most_1_3() -> None:
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=13", UNIT],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
    )
    assert judged.returncode == 0, judged.stdout[-400:]
    assert "Overall exposure level" in judged.stdout


def test_the_unit_is_notified_watched_and_restarted() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for wanted in (
        "Type=notify",
        "WatchdogSec=30s",
        "Restart=always",
        "RestartPreventExitStatus=78",
    ):
        assert wanted in lines


def test_the_shipped_files_name_each_other() -> None:
    for file in ("systemd/linli-gateway-tcp.conf", "systemd/linli.sysusers"):
        assert (Path("deploy") / file).exists()
    assert "char-ttyUSB" in UNIT.read_text(encoding="utf-8")
    assert "usbserial" in Path("deploy/modules-load/linli.conf").read_text(encoding="utf-8")
