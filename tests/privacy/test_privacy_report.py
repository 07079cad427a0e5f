"""`linli privacy report`: what leaves, what does not, and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from gateway.privacy.door import Door
from gateway.privacy.report import report_of
from gateway.settings.load import load_site

SITE = """\
version: 1
gateway: {id: gw-1, site: s1}
sinks:
  public: {url: "mqtt://127.0.0.1:1883", client_id: a, max_level: L1}
  city:
    url: mqtt://127.0.0.1:1883
    client_id: b
    max_level: L2
    allow:
      - {points: ["*"]}
      - {kind: security.*, points: [credential, keypad]}
    transforms:
      - {points: [credential], by: hash, level: L2}
      - {points: [tamper], by: drop}
buses:
  doors: {port: /dev/ttyUSB0, line: 9600 8N1, protocol: osdp}
devices:
  - id: door-{n}
    each: {n: 11..15}
    profile: generic/osdp-reader
    bus: doors
    address: "{n}"
    location: {bldg: "3", room: "{n}"}
    owner: property
"""


@pytest.fixture
def report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return what the command writes for a site."""

    def written(*words: str, text: str = SITE, locale: str = "C.UTF-8", status: int = 0) -> str:
        monkeypatch.setenv("LC_ALL", locale)
        file = tmp_path / "site.yaml"
        file.write_text(text, encoding="utf-8")
        assert load_site(file).site is not None
        assert main(["privacy", "report", str(file), *words]) == status
        return capsys.readouterr().out

    return written


def by_point(found: Any, sink: str) -> dict[str, Any]:
    (one,) = [report for report in found if report["sink"] == sink]
    return {row["point"]: row for row in one["points"]}


def test_each_point_of_each_kind_is_told_once_for_each_sink(report: Callable[..., str]) -> None:
    found = json.loads(report("--json"))
    assert [report["sink"] for report in found] == ["public", "city"]
    city = by_point(found, "city")
    credential = city["credential"]
    assert credential["devices"] == [f"door-{n}" for n in range(11, 16)]
    told = [credential[key] for key in ("class", "level", "leaves", "transform", "level_out")]
    assert told == ["P3", "L4", True, "hash", "L2"]
    assert (credential["owner"], credential["why_not"]) == ("property", None)
    why = {name: row["why_not"] for name, row in city.items()}
    assert (why["tamper"], why["keypad"], why["door"]) == ("drop", "level", None)
    assert by_point(found, "public")["credential"]["why_not"] == "level"


def test_personal_points_that_nobody_named_are_told_as_such(report: Callable[..., str]) -> None:
    text = SITE.replace("max_level: L1", "max_level: L4")
    public = by_point(json.loads(report("--json", text=text)), "public")
    assert public["credential"]["why_not"] == public["keypad"]["why_not"] == "personal"
    assert public["door"]["leaves"]


def test_ids_that_hold_a_room_are_told(report: Callable[..., str]) -> None:
    public, _city = json.loads(report("--json"))
    assert public["telling_ids"] == [f"door-{n}" for n in range(11, 16)]
    assert public["places"] == "pseudonym"


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("C.UTF-8", ("held back", "above the level of the sink", "door-11, door-12, door-13 +2")),
        ("zh_CN.UTF-8", ("不送出", "高于该上行的级别", "处理依据")),
    ],
)
def test_people_read_it_in_their_language(
    report: Callable[..., str], locale: str, words: tuple[str, ...]
) -> None:
    shown = report("--sink", "public", locale=locale)
    assert all(word in shown for word in words), shown
    assert "city" not in shown


def test_an_unknown_sink_is_wrong_usage(report: Callable[..., str]) -> None:
    assert report("--sink", "none", status=2) == ""


def test_events_that_leave_without_values_are_told(report: Callable[..., str]) -> None:
    """Where nothing but events is kept all of them leave, else those of life safety."""
    only = "{keep: event_only}"
    kept = f"points: {{mains: {only}, tamper: {only}, door: {{keep: none}}}}"
    text = SITE.replace("owner: property", f"owner: property\n    {kept}")
    found = json.loads(report("--json", text=text))
    public, city = by_point(found, "public"), by_point(found, "city")
    assert public["mains"]["why_not"] == "not_kept"
    assert public["mains"]["bare_events"] == ["mains_lost"]
    assert public["tamper"]["bare_events"] == [], "above the level of the sink"
    assert city["tamper"]["bare_events"] == [], "dropped by a transform"
    assert (public["door"]["why_not"], public["door"]["bare_events"]) == ("not_kept", [])


def test_names_that_leave_are_told(report: Callable[..., str]) -> None:
    titled = SITE.replace("owner: property", "owner: property\n    title: Door of Wang")
    public, city = json.loads(report("--json", text=titled))
    assert public["titled"] == city["titled"] == [], "a room stands in their places"
    lobby = titled.replace(', room: "{n}"', "")
    public, city = json.loads(report("--json", text=lobby))
    assert public["titled"] == city["titled"] == [f"door-{n}" for n in range(11, 16)]
    assert "names for people leave" in report(text=lobby)


def test_the_report_says_what_the_doors_do(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE.replace("owner: property", "points: {tamper: {keep: event_only}}"))
    site = load_site(file).site
    assert site is not None
    for told in report_of(site):
        door = Door(told.sink, site.all_devices.values())
        rows = {row.point: row for row in told.rows}
        for device in site.all_devices.values():
            for point in device.points:
                leaves = door.shows(device, point) and point.keep == "all"
                assert leaves == (rows[point.id].why_not is None), point.id
