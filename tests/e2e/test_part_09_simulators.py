"""Part 9 of the issue, end to end: the demo's community, and any site made of its profiles."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from simulators.ledger import Ledger
from tests.e2e.kit_gateway import TEST_ROOM, linli, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_store import stored_records
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import free_port, mosquitto

SITE = """\
version: 1
gateway: {{id: gw-09, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{retries: 1}}
{sinks}
buses:
  meters: {{port: "{folder}/meters", line: 9600 8N1, simulated: true}}
  park: {{port: "{folder}/park", line: 19200 8E1, simulated: true}}
  safety: {{tcp: "127.0.0.1:{tcp}", simulated: true}}
devices:
  - {{id: em-1, profile: eastron/sdm120, bus: meters, address: 1, poll: 500ms}}
  - {{id: em-2, profile: acrel/adl400, bus: meters, address: 2, poll: 500ms}}
  - {{id: bay-1, profile: generic/bay-input, bus: park, address: 1, set: {{input: 1}}, poll: 300ms}}
  - {{id: leak-1, profile: generic/leak-contact, bus: safety, address: 1, set: {{input: 1}}}}
"""
SCRIPT = {
    "seed": 3,
    "happenings": [
        {"at": 0.2, "device": "bay-1", "what": "leave", "for": 2},
        {"at": 1, "device": "leak-1", "what": "leak", "for": 60, "say": "Water."},
    ],
}
SPAN_MS = 3000
"""An exchange of 70 registers at 9600 baud with a retry, on a machine with other work."""


def check_summary(summary: dict[str, Any]) -> None:
    """Hold the demo's last line against the contract."""
    assert summary.keys() == {
        *("devices", "taken", "committed", "received", "lost", "duplicate", "false", "lines"),
    }
    assert summary["devices"] >= 20
    assert summary["taken"] > 100
    assert summary["received"] >= summary["committed"] > 20
    assert (summary["lost"], summary["duplicate"], summary["false"]) == (0, 0, 0)
    assert len(summary["lines"]) >= 3
    for line in summary["lines"]:
        assert line.keys() == {"name", "load_percent", "errors"}
        assert 0 < line["load_percent"] < 100
    assert any(line["errors"] for line in summary["lines"]), "a dead device is among them"


@pytest.mark.slow
def test_the_demo_ends_by_itself_with_nothing_lost_doubled_or_false(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "simulators.cli", "demo"),
            *("--duration", "12", "--json", "--keep", str(tmp_path)),
        ],
        cwd=TEST_ROOM,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    check_summary(json.loads(done.stdout.splitlines()[-1]))
    stored = stored_records(tmp_path / "state")
    events = [r["body"] for r in stored if r["kind"] == "event"]
    assert {e["type"] for e in events if e["state"] == "raised"} >= {"leak"}
    offline = [r["dev"] for r in stored if r["kind"] == "state" and not r["body"]["is_online"]]
    assert offline == ["em-04"]


@pytest.mark.slow
def test_make_demo_says_the_same(tmp_path: Path) -> None:
    if not (TEST_ROOM / ".venv" / ".installed").exists():
        pytest.skip("`make demo` would install the environment first")
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", "DURATION=12", "JSON=1", f"TMPDIR={tmp_path}"],
        cwd=TEST_ROOM,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    check_summary(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def simulation(site: Path, folder: Path, *options: str) -> Generator[dict[str, Any]]:
    """Run `linli-sim run` on a site file; yields what it says of itself."""
    command = [
        *(sys.executable, "-m", "simulators.cli", "run", str(site), "--json"),
        *("--runtime", str(folder), "--ledger", str(folder / "ledger")),
        *("--books", str(folder / "books"), *options),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=TEST_ROOM) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            assert process.wait(30) == 0


def test_a_site_is_simulated_from_its_profiles_and_everything_published_was_served(
    tmp_path: Path,
) -> None:
    ports = tmp_path / "ports"
    ports.mkdir()
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    with mosquitto(tmp_path) as broker, Platform(broker.port) as platform:
        sinks = f"sinks: {{platform: {{url: 'mqtt://127.0.0.1:{broker.port}'}}}}"
        site = write_site(tmp_path, SITE.format(folder=ports, tcp=free_port(), sinks=sinks))
        with simulation(site, ports, "--script", str(script)) as where:
            assert where["devices"] == 4
            assert where["buses"].keys() == {"meters", "park", "safety"}
            with running_gateway(site, tmp_path):
                for device, point in (("em-1", "ep_imp"), ("em-2", "u_a")):
                    platform.wait_for_point(device, point, lambda e: e.get("v") is not None)
                leak = platform.wait_for("event", lambda e: e["type"] == "leak").body
                platform.wait_for_point("bay-1", "status", lambda e: e.get("v") is not None)
                platform.wait(lambda: platform.auditor.values > 100, "a hundred values")
        assert (leak["dev"], leak["st"]) == ("leak-1", "raised")
        good = [
            (record["dev"], entry, record["ts"] + entry.get("t", 0))
            for record in platform.records()
            for entry in record.get("pts", ())
            if entry.get("q", 192) == 192
        ]
        assert {entry.get("qr") for _, entry, _ in good} == {"sim"}, "told as simulated"
        ledger = Ledger.read(ports / "ledger")
        false = [
            (device, entry, ts)
            for device, entry, ts in good
            if not ledger.holds(device, entry["p"], entry["v"], (ts - SPAN_MS, ts + 1))
        ]
        assert not false
        assert len(good) > 80
        books = json.loads((ports / "books").read_text(encoding="utf-8"))
        assert books["meters"]["replies"] > 2
        assert books["meters"]["collisions"] == 0
        assert books["meters"]["early"] == 0, "the silence between frames was kept"


def test_faults_are_switched_by_name_and_the_tools_tell_them(tmp_path: Path) -> None:
    ports = tmp_path / "ports"
    ports.mkdir()
    port = free_port()
    site = write_site(tmp_path, SITE.format(folder=ports, tcp=port, sinks="sinks: {}"))
    faults = ("--faults", "em-1:silent", "leak-1:exception=4")
    with simulation(site, ports, *faults) as where:
        tools = ("--json", "--profile")
        serial = ("--port", where["buses"]["meters"], "--line", "9600 8N1")
        well = linli(tmp_path, "read", "u_a", *tools, "acrel/adl400", *serial, "--address", "2")
        assert well.returncode == 0, well.stderr
        (value,) = json.loads(well.stdout)["pts"]
        assert (value["p"], value["u"]) == ("u_a", "V")
        assert 180 < value["v"] < 260
        silent = linli(tmp_path, "read", "u_a", *tools, "eastron/sdm120", *serial)
        assert silent.returncode == 1
        assert "timeout" in silent.stdout + silent.stderr
        leak = (*tools, "generic/leak-contact", "--set", "input=1", "--tcp", f"127.0.0.1:{port}")
        refused = linli(tmp_path, "read", "wet", *leak)
        assert refused.returncode == 1
        assert "exception:4" in refused.stdout + refused.stderr
