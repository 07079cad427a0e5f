"""What a configuration from afar may change: what is measured, not who gets it or commands it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.remote.rights import overreach
from gateway.settings.load import load_site
from gateway.settings.site import Site

SITE = """\
version: 1
gateway: {id: gw-03, site: hz}
remote: {secret: {credential: remote}}
sinks: {province: {url: mqtts://platform.example}}
buses: {m: {memory: m}}
devices: [{id: em-01, profile: eastron/sdm120, bus: m, address: 1}]
commands: {allow: [{device: em-01, points: [u_a], ops: [read]}]}
"""
PROFILE = """\
version: 1
profile: test/meter
vendor: test
model: meter
title: {en: Meter, zh: 电表}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 60s}
defaults: {group: power}
points:
  u_a: {register: 0, pii: $PII, level: $LEVEL}
"""
NONE = frozenset[str]()


def _site(folder: Path, text: str) -> Site:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "gateway.yaml"
    file.write_text(text, encoding="utf-8")
    result = load_site(file)
    assert result.site is not None, [problem.text() for problem in result.problems]
    return result.site


def _codes(tmp_path: Path, old: str, new: str, may: frozenset[str] = NONE) -> list[str]:
    before, after = _site(tmp_path / "old", old), _site(tmp_path / "new", new)
    return [problem.code for problem in overreach(before, after, may)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("address: 1", "address: 2"),
        ("{id: em-01, profile", "{id: em-01, title: Meter, profile"),
        ("buses: {m: {memory: m}}", "defaults: {poll: 30s}\nbuses: {m: {memory: m}}"),
        ("buses: {m: {memory: m}}", "history: {}\nbuses: {m: {memory: n}, k: {memory: k}}"),
        ("version: 1\n", "version: 1\n\n"),
    ],
)
def test_what_is_measured_may_be_changed(tmp_path: Path, old: str, new: str) -> None:
    assert _codes(tmp_path, SITE, SITE.replace(old, new, 1)) == []


@pytest.mark.parametrize(
    ("old", "new", "section"),
    [
        ("platform.example}", "platform.example, max_level: L3}", "sinks"),
        ("sinks: {", "sinks: {thief: {url: mqtt://thief.example}, ", "sinks"),
        ("ops: [read]", "ops: [read, event_ack]", "commands"),
        ("buses:", "privacy: {places: drop}\nbuses:", "privacy"),
        (
            "buses:",
            "historians: {h: {url: http://127.0.0.1:8086, version: 1, database: d}}\nbuses:",
            "historians",
        ),
    ],
)
def test_who_gets_or_commands_it_only_where_the_site_says_so(
    tmp_path: Path, old: str, new: str, section: str
) -> None:
    text = SITE.replace(old, new, 1)
    assert text != SITE
    assert _codes(tmp_path, SITE, text) == ["LG-REM-03"]
    assert _codes(tmp_path, SITE, text, frozenset({section})) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: gw-03", "id: gw-04"),
        ("{credential: remote}", "{credential: other}"),
        ("{secret: {credential: remote}}", "{secret: {credential: remote}, may: [sinks]}"),
        ("remote: {secret: {credential: remote}}\n", ""),
        ("buses:", "store: {quota: 1MB}\nbuses:"),
    ],
)
def test_who_we_are_and_whom_we_obey_never(tmp_path: Path, old: str, new: str) -> None:
    everything = frozenset({"commands", "derived", "historians", "privacy", "sinks"})
    assert _codes(tmp_path, SITE, SITE.replace(old, new, 1), everything) == ["LG-REM-04"]


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ('{bldg: "3", room: "501"}', '{bldg: "3"}', ["LG-REM-05"]),
        ('{bldg: "3", room: "501"}', '{bldg: "3", room: "502"}', []),
        ('{bldg: "3"}', '{bldg: "3", room: "501"}', []),
    ],
)
def test_a_place_that_hides_a_name_is_not_taken_away(
    tmp_path: Path, before: str, after: str, codes: list[str]
) -> None:
    old, new = (
        SITE.replace("address: 1}", f"address: 1, location: {place}}}") for place in (before, after)
    )
    assert _codes(tmp_path, old, new) == codes
    assert _codes(tmp_path, old, new, frozenset({"privacy"})) == []


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("keep: event_only", "keep: all", ["LG-REM-05"]),
        ("keep: none", "keep: event_only", ["LG-REM-05"]),
        ("keep: all", "keep: none", []),
        ("retain: 7d", "retain: 30d", ["LG-REM-05"]),
        ("retain: 7d", "deadband: 1", ["LG-REM-05"]),
        ("retain: 30d", "retain: 7d", []),
    ],
)
def test_no_more_of_a_point_is_kept_and_for_no_longer(
    tmp_path: Path, before: str, after: str, codes: list[str]
) -> None:
    old, new = (
        SITE.replace("address: 1}", f"address: 1, points: {{u_a: {{{how}}}}}}}")
        for how in (before, after)
    )
    assert _codes(tmp_path, old, new) == codes
    assert _codes(tmp_path, old, new, frozenset({"privacy"})) == []


@pytest.mark.parametrize(
    ("pii", "level", "codes"),
    [("P2", "L3", []), ("P3", "L4", []), ("P1", "L3", ["LG-REM-05"]), ("P2", "L2", ["LG-REM-05"])],
)
def test_a_point_does_not_become_less_protected(
    tmp_path: Path, pii: str, level: str, codes: list[str]
) -> None:
    sites: list[str] = []
    for name, (its_pii, its_level) in {"a": ("P2", "L3"), "b": (pii, level)}.items():
        file = tmp_path / f"{name}.yaml"
        profile = PROFILE.replace("$PII", its_pii).replace("$LEVEL", its_level)
        file.write_text(profile, encoding="utf-8")
        sites.append(SITE.replace("eastron/sdm120", str(file)))
    old, new = sites
    assert _codes(tmp_path, old, new) == codes
    assert _codes(tmp_path, old, new, frozenset({"privacy"})) == []
