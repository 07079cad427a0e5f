"""The paths of serial ports, as site files name them."""

from __future__ import annotations

from pathlib import Path

SERIAL_ROOT = Path("/dev/serial")
"""Where udev keeps the stable names `by-id/…` and `by-path/…`."""


def port_path(port: str, serial_root: Path = SERIAL_ROOT) -> Path:
    """Return the path of a port as a site file names it; links are not followed yet."""
    if port.startswith(("by-id/", "by-path/")):
        return serial_root / port
    return Path("/dev") / port  # an absolute path stays what it is
