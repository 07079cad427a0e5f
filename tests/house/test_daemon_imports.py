"""What the daemon must not carry: each of these costs memory for as long as it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = (
    "gateway.privacy.derive gateway.historian.store gateway.historian.writer "
    "gateway.app.history.desk "
    "difflib zipfile serial pydantic pydantic_core annotated_types yaml pymodbus aiomqtt "
    "influxdb_client"
)
SITE = """\
version: 1
gateway: {id: gw-1, site: lake}
buses: {m: {memory: m}}
devices: [{id: em-01, profile: eastron/sdm120, bus: m, address: 1}]
sinks: {p: {dialect: native, url: mqtt://localhost}}
"""
PROGRAM = f"""\
import pkgutil
import sys
from pathlib import Path
import gateway.cli.main
import gateway.cli.verbs.run
from gateway.bus.cost import driver_of, line_cost
from gateway.app.site.vet import vet
import gateway.app.daemon
from gateway.bus.plan import plan_reads
from gateway.settings.apart import load_site_apart
site = load_site_apart(Path(sys.argv[1])).site
assert not vet(site)
(line,) = site.lines.values()
reads = plan_reads(site.devices.values(), driver_of, lambda p: line_cost(line, driver_of(p).wire))
assert [next(read.job.steps()).request for read in reads]
print(*[name for name in {HEAVY!r}.split() if name in sys.modules])
import drivers, gateway.dialects
names = [m.name for m in pkgutil.iter_modules(drivers.__path__)]
print(*[name for name in names if f"drivers.{{name}}" in sys.modules])
names = [m.name for m in pkgutil.iter_modules(gateway.dialects.__path__) if m.ispkg]
print(*[name for name in names if f"gateway.dialects.{{name}}" in sys.modules])
"""


def test_the_daemon_carries_no_parser_no_model_and_no_other_driver_or_dialect(
    tmp_path: Path,
) -> None:
    site = tmp_path / "gateway.yaml"
    site.write_text(SITE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(site)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    heavy, drivers, dialects = done.stdout.splitlines()
    assert (heavy, dialects) == ("", "native")
    assert drivers.split() == ["contract", "errors", "modbus", "registry"]
