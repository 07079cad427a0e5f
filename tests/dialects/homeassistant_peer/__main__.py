"""Home Assistant's own schemas over what we announce: every point of every kind, read and writable.

    python -m tests.dialects.homeassistant_peer [--python PEER/bin/python]

Without `--python` it makes a throw-away environment outside the repository and installs a release
from the package index there (some minutes); it is never a dependency.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.dialects.contract import Birth, BirthPoint
from gateway.dialects.homeassistant.dialect import HomeAssistant
from gateway.model.ids import DeviceId, PointId
from gateway.settings.catalogue import Catalogue, shipped_config
from gateway.settings.problems import Problems
from tests.support.named_platforms import setup_of
from tests.support.natives import NOW

PACKAGES = ("homeassistant==2024.3.3", "paho-mqtt==1.6.1")
"""The last release for Python 3.11, and what its MQTT integration needs."""
SCHEMAS = Path(__file__).with_name("schemas.py")


def births() -> Iterator[Birth]:
    """Yield a device of every kind; each point of it twice, to be read and to be set."""
    catalogue = Catalogue(None, Problems())
    for file in sorted((shipped_config() / "kinds").glob("*.yaml")):
        kind = catalogue.kind(file.stem)
        assert kind is not None, file
        points = tuple(
            BirthPoint(
                PointId(template.replace("{n}", "1") + ("-set" if is_writable else "")),
                str(point.type),
                point.unit,
                None if point.res is None else float(point.res),
                "P0",
                "L1",
                tuple(point.values),
                is_writable,
                point.cumulative and not is_writable,
                point.title,
            )
            for template, point in kind.entry.points.items()
            for is_writable in (False, True)
        )
        device = DeviceId(file.stem.replace(".", "-"))
        yield Birth(device, kind.id, "Vendor", "Model", points, kind.entry.title)


def announcements() -> dict[str, str]:
    """Return all discovery messages by topic."""
    begun = HomeAssistant(setup_of({}, {})).connected(tuple(births()), (), NOW)
    return {
        one.topic: one.payload.decode() for one in begun if one.topic.startswith("homeassistant/")
    }


def installed(folder: Path) -> Path:
    """Install the release into a throw-away environment in this folder."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES)
    subprocess.run([str(python), *words], check=True)
    return python


def main() -> int:
    """Return the exit status: 0 when every announcement was taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.dialects.homeassistant_peer")
    parser.add_argument("--python", type=Path, help="an interpreter that has Home Assistant")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        python = arguments.python or installed(Path(folder) / "peer")
        done = subprocess.run(
            [str(python), str(SCHEMAS)], input=json.dumps(announcements()), text=True, check=False
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
