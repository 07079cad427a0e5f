"""A reload is a diff: what stayed the same is not in it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.site import last_good
from gateway.app.site.reload import diff
from gateway.model.ids import DeviceId, LineName
from gateway.settings.load import load_site
from gateway.settings.site import Site

SITE = """\
version: 1
gateway: {id: gw, site: s}
buses: {a: {tcp: "127.0.0.1:1502"}, b: {tcp: "127.0.0.1:1503"}}
devices:
  - {id: em-1, profile: eastron/sdm120, bus: a, address: "1"}
  - {id: em-2, profile: eastron/sdm120, bus: b, address: "2"}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return _load(tmp_path, SITE)


def _load(folder: Path, text: str) -> Site:
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load_site(file).site
    assert loaded is not None
    return loaded


def test_moving_lines_in_the_file_changes_nothing(site: Site, tmp_path: Path) -> None:
    moved = _load(tmp_path, "# a comment\n\n" + SITE)
    assert diff(site, moved).is_empty


def test_a_new_device_touches_its_line_only(site: Site, tmp_path: Path) -> None:
    extra = '  - {id: em-3, profile: eastron/sdm120, bus: b, address: "3"}\n'
    change = diff(site, _load(tmp_path, SITE + extra))
    assert change.lines_touched == {LineName("b")}
    assert change.devices_new == {DeviceId("em-3")}
    assert not change.lines_new
    assert not change.devices_changed


def test_another_address_of_a_port_opens_that_line_afresh(site: Site, tmp_path: Path) -> None:
    change = diff(site, _load(tmp_path, SITE.replace("1503", "1504")))
    assert change.lines_new == {LineName("b")} == change.lines_gone
    assert not change.lines_touched


def test_what_needs_a_restart_is_named(site: Site) -> None:
    changed = replace(site, store=replace(site.store, quota_bytes=1024))
    assert diff(site, changed).needs_restart == ("store",)


def test_a_bad_file_falls_back_to_the_last_good_site(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "site.yaml"
    site = _load(tmp_path, SITE)
    last_good.save(site.files, file, state)
    file.write_text("version: 1\nbuses: [", encoding="utf-8")
    started = last_good.load_or_fall_back(file, state, strict=False)
    assert started.is_fallback
    assert started.result.site is not None
    assert set(started.result.site.devices) == set(site.devices)
    strict = last_good.load_or_fall_back(file, state, strict=True)
    assert strict.result.site is None


def test_a_site_runs_though_no_copy_of_it_can_be_kept(site: Site, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be", encoding="utf-8")
    last_good.save(site.files, tmp_path / "site.yaml", state)
    assert state.is_file()


def test_a_copy_cut_short_by_a_power_failure_is_passed_over(site: Site, tmp_path: Path) -> None:
    file, state = tmp_path / "site.yaml", tmp_path / "state"
    last_good.save(site.files, file, state)
    (state / "last-good" / "index.json").write_text("", encoding="utf-8")
    file.write_text("version: 1\n", encoding="utf-8")
    started = last_good.load_or_fall_back(file, state, strict=False)
    assert started.result.site is None
    assert not started.is_fallback


def test_another_timezone_needs_a_restart(site: Site) -> None:
    changed = replace(site, gateway=replace(site.gateway, timezone="Europe/Berlin"))
    assert diff(site, changed).needs_restart == ("gateway.timezone",)
