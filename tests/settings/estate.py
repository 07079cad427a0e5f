"""A small estate for tests of the settings: its own kind and profiles beside a site file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.settings.load import LoadResult, load_site

KIND = """\
version: 1
kind: test.meter
title: {en: Test meter, zh: 测试表}
latency: T4
points:
  ep_imp:
    {title: Energy, type: float, unit: kW.h, res: 0.01, cumulative: true, group: energy,
     pii: P1, level: L2}
  u_a: {title: Voltage, type: float, unit: V, res: 0.1, group: power, pii: P1, level: L2}
  status:
    {title: {en: State, zh: 状态}, type: enum, values: [free, occupied], group: state,
     pii: P0, level: L1}
  zone_{n}: {title: {en: Zone, zh: 防区}, type: bool, group: state, each: 1..4}
events:
  leak: {title: {en: Leak, zh: 漏水}, severity: 3, duty: property}
groups: {energy: 15m, power: 60s, state: 2s}
expects: [ep_imp]
"""

METER = """\
version: 1
profile: test/meter
title: {en: Test meter, zh: 测试表}
kind: test.meter
driver: modbus
line: {setting: 9600 8N1, basis: source}
quirks: {max_registers: 40, pause: 20ms}
points:
  u_a: {register: 0, scale: 0.1, range: [0, 300]}
  ep_imp: {register: 0x0048, type: f32, group: energy}
  sf_x: {register: 40, type: s16, published: false}
  p_tot: {register: 12, type: s16, unit: W, scale_from: {point: sf_x, kind: exponent}}
"""

PANEL = """\
version: 1
profile: test/panel
title: {en: Test panel, zh: 测试盘}
kind: test.meter
driver: modbus
verified: false
unverified: nobody has seen one
variables:
  loop: {range: 0..7, default: 1}
  device: {range: 1..255}
variants:
  old: {points: {status: {register: "{loop*256+device+1}"}}}
points:
  ep_imp: {register: 7}
  status: {register: "{loop*256+device}", enum: {0: free, 1: occupied}}
  zone_{n}:
    {register: "{100+n}", table: discrete, each: 1..4,
     events: [{type: leak, when: {equals: true}}]}
  gate_cmd:
    {register: 9, access: rw, value: enum, enum: {1: open, 2: close},
     write: {allowed: [open, close], raw_or: 0x6800, dangerous: true}}
"""

SITE = """\
version: 1
gateway: {id: gw-01, site: s-001}
buses:
  m: {port: by-path/a, line: 9600 8N1}
  t: {tcp: "10.0.0.1:502"}
devices:
  - {id: d-1, profile: test/meter, bus: m, address: 1}
"""


@dataclass(frozen=True, slots=True)
class Estate:
    """A folder with kinds, profiles and whatever a test writes into it."""

    folder: Path

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self, content: str | bytes, name: str = "site.yaml") -> LoadResult:
        path = self.write(name, content)
        return load_site(path, profile_dirs=[self.folder / "profiles"])

    def errors(self, content: str | bytes) -> list[str]:
        """Return the errors as `line:column code`, to be compared."""
        return [
            f"{p.line}:{p.column} {p.code}"
            for p in self.load(content).problems
            if p.severity == "error"
        ]


def make_estate(folder: Path) -> Estate:
    estate = Estate(folder)
    estate.write("kinds/test.meter.yaml", KIND)
    estate.write("profiles/test/meter.yaml", METER)
    estate.write("profiles/test/panel.yaml", PANEL)
    return estate
