"""Two machines on a Modbus TCP port, for tests of what a platform sees of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.kit_gateway import asked, write_profile, write_site
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import GatewayProcess

PROFILE = """\
version: 1
profile: e2e/plant
vendor: test
model: plant
title: {en: Plant, zh: 机房}
kind: io.module
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  count: {register: 1, unit: V, value: int}
  out_1: {table: coil, register: 1, access: rw}
  wet:
    table: discrete
    register: 0
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}}]
"""
UNITS = 2


class CountingSlave(Slave):
    """Every read of a unit finds its counter one higher."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[int, int] = {}
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self._counts[unit] = self._counts.get(unit, 0) + 1
        self.put(unit, 1, count)


@dataclass(frozen=True, slots=True)
class Plant:
    """The machines, and the folder of a gateway that reads them."""

    slave: CountingSlave
    base: Path

    def site(self, sink: str) -> Path:
        """Write a site with this sink, the body of `sinks: platform:`."""
        write_profile(self.base, "e2e/plant", PROFILE)
        secret = self.base / "secret"
        secret.write_text("s3cret\n", encoding="utf-8")
        secret.chmod(0o600)
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-20, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform:
{sink}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: "p-{{n}}", each: {{n: 1..{UNITS}}}, profile: e2e/plant, bus: tcp, address: "{{n}}"}}
commands:
  allow:
    - {{device: "p-*", points: [level, out_1], ops: [set, call]}}
    - {{device: "p-*", points: ["*"], ops: [read]}}
""",
        )


def stored(gateway: GatewayProcess, device: str) -> set[str]:
    """Return the identities, `ep-seq`, of the values of a device that are in the store."""
    lines = asked(gateway, "outbox", what="show", lane="telemetry", most=100_000)
    records = map(json.loads, lines)
    return {f"{one['ep']}-{one['seq']}" for one in records if one["dev"] == device}


def refused(gateway: GatewayProcess) -> str:
    """Return what `linli outbox refused` shows."""
    return "\n".join(asked(gateway, "outbox", what="refused"))
