"""Every setting of a point is traced to the line that decided it."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.load import load_site
from gateway.settings.origins import setting_origins

SITE = """\
version: 1
gateway: {id: gw-1, site: e2e}
defaults:
  poll: {energy: 20m}
  deadband: 1%
buses: {m: {port: by-path/usb-1.2}}
devices:
  - id: em-{n}
    each: {n: 1..3}
    profile: own/meter
    bus: m
    address: "{n}"
    poll: {power: 3s}
    points:
      u_a: {scale: 0.2}
    except:
      2:
        deadband: {u_a: 0.5}
      3:
        poll: 7s
"""
PROFILE = """\
version: 1
profile: own/meter
title: Own
kind: meter.electricity
driver: modbus
defaults: {table: input}
groups: {power: 5s}
points:
  u_a: {register: 0, scale: 0.1, table: holding}
  i_a:
    register: 1
    group: power
  ep_imp: {register: 2, type: u32}
  in{n}: {register: "{n}", value: int, each: 4..5}
"""


def origins(folder: Path, device: str, point: str) -> dict[str, tuple[str, int]]:
    file = folder / "site.yaml"
    file.write_text(SITE, encoding="utf-8")
    profile = folder / "profiles" / "own" / "meter.yaml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    profile.write_text(PROFILE, encoding="utf-8")
    dirs = [folder / "profiles"]
    site = load_site(file, profile_dirs=dirs).site
    assert site is not None
    (found,) = (
        p for d in site.devices.values() for p in d.points if (d.id, p.id) == (device, point)
    )
    places = setting_origins(file, device, found, dirs)
    return {key: (Path(where.file).name, where.line) for key, where in places.items()}


def test_the_site_wins_over_variant_point_defaults_and_kind(tmp_path: Path) -> None:
    found = origins(tmp_path, "em-1", "u_a")
    assert found["scale"] == ("site.yaml", 15)
    assert found["table"] == ("meter.yaml", 9)
    assert found["poll"] == ("site.yaml", 13)
    assert found["unit"][0] == "meter.electricity.yaml"
    assert "offset" not in found, "no file says it"
    assert origins(tmp_path, "em-1", "i_a")["table"] == ("meter.yaml", 6)
    assert origins(tmp_path, "em-1", "i_a")["group"] == ("meter.yaml", 12)


def test_what_differs_by_except_is_named_there(tmp_path: Path) -> None:
    assert origins(tmp_path, "em-2", "u_a")["deadband"] == ("site.yaml", 18)
    assert origins(tmp_path, "em-3", "ep_imp")["poll"] == ("site.yaml", 20)
    assert origins(tmp_path, "em-1", "ep_imp")["poll"] == ("site.yaml", 4)


def test_numbered_points_lead_to_their_template(tmp_path: Path) -> None:
    found = origins(tmp_path, "em-1", "in4")
    assert found["register"] == ("meter.yaml", 14)
    assert found["value"] == ("meter.yaml", 14)
