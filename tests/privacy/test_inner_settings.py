"""What `check` says of derived points and of points that must not be."""

from __future__ import annotations

from pathlib import Path

import pytest
from inner_sites import METERS, a_site, codes, loaded

from gateway.app.keys import sealing
from gateway.app.keys.sealing import seal_of_site
from gateway.app.site import vet as vetting
from gateway.model.ids import DeviceId
from gateway.settings.forbidden import forbidden
from gateway.settings.problems import SettingsError
from gateway.settings.profiles import load_profile, profile_catalogue
from gateway.settings.site import ValueType
from gateway.settings.site_derived import Op, Recipe, Take

SUM = '{id: a, kind: meter.electricity, points: {ep: {sum: "em-*/ep_imp", every: 1h}}}'
WRONG = {
    'points: {x: {bin: "em-*/ep_imp", every: 1h}}': ["LG-DER-03"],
    'points: {x: {sum: "no-*/ep_imp", every: 1h}}': ["LG-DER-02"],
    'points: {x: {sum: "em-*/p_tot"}}': ["LG-DER-06"],
    'points: {x: {sum: "em-*/p_tot", every: 1h, min_group: 2}}': ["LG-DER-07"],
    'points: {x: {sum: "em-*/p_tot", every: 1h, min_group: 7}}': ["LG-DER-09"],
    'points: {x: {sum: "em-*/p_tot", mean: "em-*/p_tot", every: 1h}}': ["LG-VAL-11"],
    'points: {x: {sum: "em-*/p_tot", every: 1h, equals: 3}}': ["LG-DER-01"],
    'points: {x: {bin: "em-01/p_tot"}}': ["LG-DER-01"],
    'points: {x: {bin: "em-01/p_tot", every: 7h}}': ["LG-VAL-13"],
    'points: {u_a: {bin: "em-01/p_tot", step: 5}}': ["LG-DER-05"],
    'points: {p_tot: {bin: "em-01/p_tot", step: 5, pii: P0}}': ["LG-DER-12"],
    'points: {face_id: {count: "em-*/p_tot", every: 1h}}': ["LG-DENY-01"],
}


@pytest.mark.parametrize("points", WRONG)
def test_each_mistake_has_its_code(points: str, tmp_path: Path) -> None:
    text = f"{METERS}derived:\n  - {{id: d, kind: meter.electricity, {points}}}\n"
    assert codes(tmp_path, text) == WRONG[points]


def test_the_least_and_greatest_of_sensitive_values_are_refused(tmp_path: Path) -> None:
    text = f"""{METERS}
derived: [{{id: d, kind: meter.electricity, points: {{x: {{max: "d0/x", every: 1h}}}}}}]
"""
    first = "{id: d0, kind: meter.electricity, points: {x: {bin: em-01/p_tot, step: 5, pii: P2}}}, "
    assert "LG-DER-08" in codes(tmp_path, text.replace("[{id: d,", f"[{first}{{id: d,"))


CARDS = """\
version: 1
gateway: {id: gw-1, site: lake}
buses: {doors: {port: /dev/ttyUSB0, line: 9600 8N1, protocol: osdp}}
devices: [{id: door-1, profile: generic/osdp-reader, bus: doors, address: "1"}]
derived: [{id: d, kind: security.access, points: {seen: {bin: door-1/credential, every: 1h, %s}}}]
"""


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ("take: last", []),
        ("take: last, pii: P0", ["LG-DER-13"]),
        ("take: last, level: L1", ["LG-DER-13"]),
        ("take: last, step: 10, level: L1", ["LG-DER-13"]),
    ],
)
def test_a_personal_value_is_no_less_personal_for_being_taken_seldom(
    tmp_path: Path, more: str, found: list[str]
) -> None:
    """Else a plate would leave through the back door of a derived point, in the clear."""
    assert codes(tmp_path, CARDS % more) == found


def test_groups_that_differ_by_one_member_are_told(tmp_path: Path) -> None:
    other = SUM.replace("id: a,", "id: b,").replace("em-*", "em-0[1-5]")
    assert codes(tmp_path, f"{METERS}derived: [{SUM}, {other}]") == ["LG-DER-11"]
    same = SUM.replace("id: a,", "id: b,")
    assert codes(tmp_path, f"{METERS}derived: [{SUM}, {same}]") == []


def test_a_whole_and_its_parts_that_leave_one_member_over_are_told(tmp_path: Path) -> None:
    """The sum of all meters, less those of both floors, is the one that is on no floor."""
    meters = METERS.replace("1..6", "1..9")
    for parts, wanted in ((("1-4", "5-8"), ["LG-DER-11"]), (("1-4", "5-9"), [])):
        floors = [
            SUM.replace("id: a,", f"id: f{n}, min_group: 3,").replace("em-*", f"em-0[{part}]")
            for n, part in enumerate(parts)
        ]
        for order in ([*floors, SUM], [SUM, *floors], [floors[0], SUM, floors[1]]):
            assert codes(tmp_path, f"{meters}derived: [{', '.join(order)}]") == wanted


def test_groups_are_held_against_each_other_by_what_they_are_made_of(tmp_path: Path) -> None:
    """One over the meters, one over hours of the same meters: under other names."""
    hours = (
        '{id: "use-{n}", each: {n: 1..5}, kind: meter.electricity, '
        'points: {ep: {bin: "em-0{n}/ep_imp", every: 1h}}}'
    )
    over = SUM.replace("id: a,", "id: b,").replace("em-*/ep_imp", "use-*/ep")
    assert codes(tmp_path, f"{METERS}derived: [{SUM}, {hours}, {over}]") == ["LG-DER-11"]


def test_a_derived_device_has_the_id_of_no_other(tmp_path: Path) -> None:
    _, problems = loaded(tmp_path, f"{METERS}derived: [{SUM.replace('id: a,', 'id: em-01,')}]")
    assert [p.code for p in problems if p.severity == "error"] == ["LG-DEV-01"]


def test_a_sum_of_counters_is_what_they_grew_in_the_span(tmp_path: Path) -> None:
    site = a_site(tmp_path, f"{METERS}derived: [{SUM}]")
    (point,) = site.derived[DeviceId("a")].points
    recipe = point.address
    assert isinstance(recipe, Recipe)
    assert (recipe.op, recipe.take, recipe.is_guarded) == (Op.SUM, Take.DELTA, True)
    assert (point.unit, point.personal, point.level) == ("kW.h", "P1", "L2")
    assert point.derived_from == tuple(f"em-{n:02}/ep_imp" for n in range(1, 7))
    assert site.devices.keys() | site.derived.keys() == site.all_devices.keys()


@pytest.mark.parametrize(
    ("name", "value", "titles"),
    [
        ("face", ValueType.TEXT, ()),
        ("user_fingerprint_2", ValueType.TEXT, ()),
        ("photo", ValueType.INT, ()),
        ("id_card_no", ValueType.TEXT, ()),
        ("audio-level", ValueType.FLOAT, ()),
        ("visitor_sfzh", ValueType.TEXT, ()),
        ("renlian_1", ValueType.TEXT, ()),
        ("citizen_id", ValueType.INT, ()),
        ("pic", ValueType.TEXT, ()),
        ("user", ValueType.TEXT, ("公民身份号码",)),
        ("holder", ValueType.TEXT, ("持卡人身份证号",)),
        ("note", ValueType.TEXT, ("Passport of the visitor",)),
    ],
)
def test_what_must_not_enter_is_known_by_its_name(
    name: str, value: ValueType, titles: tuple[str, ...]
) -> None:
    assert forbidden(name, value, titles) is not None


@pytest.mark.parametrize(
    ("name", "value", "titles"),
    [
        ("surface_temp", ValueType.FLOAT, ()),
        ("interface", ValueType.TEXT, ()),
        ("photo_fault", ValueType.BOOL, ("Photo cell fault",)),
        ("plate", ValueType.TEXT, ("Number plate", "车牌号")),
        ("meter_id", ValueType.TEXT, ("Number of the meter",)),
        ("persons", ValueType.INT, ("Persons in the image", "图像中人数")),
        ("noise", ValueType.FLOAT, ("Sound level",)),
        ("topic", ValueType.TEXT, ("Topic",)),
        ("device_id", ValueType.TEXT, ("Device id number 4",)),
    ],
)
def test_what_only_sounds_like_it_may_stay(
    name: str, value: ValueType, titles: tuple[str, ...]
) -> None:
    assert forbidden(name, value, titles) is None


def test_no_shipped_profile_holds_what_must_not_be() -> None:
    entries = profile_catalogue()
    assert len(entries) > 50
    for entry in entries:
        found = [p.code for p in load_profile(entry.id).problems]
        assert "LG-DENY-01" not in found, entry.id


def test_a_profile_with_a_face_is_refused_with_a_remedy(tmp_path: Path) -> None:
    profile = tmp_path / "camera.yaml"
    profile.write_text(
        """\
version: 1
profile: own/camera
title: {en: Camera, zh: 摄像机}
kind: security.access
driver: modbus
sources: [made for the test]
points: {face: {register: 0, value: int}, door: {register: 9}}
""",
        encoding="utf-8",
    )
    found = [p for p in load_profile(profile).problems if p.code == "LG-DENY-01"]
    assert [p.severity for p in found] == ["error"]
    assert "biometric data" in found[0].message
    assert "生物识别信息" in found[0].in_language("zh").message
    assert found[0].remedy


PIR = """\
version: 1
gateway: {id: gw-1, site: lake}
buses: {m: {memory: m}}
devices:
  - {id: em-01, profile: eastron/sdm120, bus: m, address: 1, points: {u_a: {keep: none}}}
derived: [{id: d, kind: meter.electricity, points: {x: {bin: em-01/p_tot, step: 5, pii: P2}}}]
"""


def test_without_the_cipher_a_site_that_keeps_personal_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = a_site(tmp_path, PIR)
    assert site.devices[DeviceId("em-01")].points != ()
    keeps = {str(point.id): point.keep for point in site.devices[DeviceId("em-01")].points}
    assert (keeps["u_a"], keeps["p_tot"]) == ("none", "all")
    assert [p.code for p in vetting.vet(site) if p.code == "LG-STORE-01"] == []
    monkeypatch.setattr(vetting, "is_cipher_there", lambda: False)
    (problem,) = [p for p in vetting.vet(site) if p.code == "LG-STORE-01"]
    assert problem.severity == "error"
    assert "d/x" in problem.message
    assert "pip install" in problem.remedy


def test_a_key_of_the_store_without_the_cipher_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = METERS.replace("buses:", "store: {key: {env: LINLI_TEST_STORE_KEY}}\nbuses:")
    site = a_site(tmp_path, text)
    monkeypatch.setenv("LINLI_TEST_STORE_KEY", "ab" * 32)
    assert seal_of_site(site, tmp_path) is not None
    assert vetting.vet(site) == ()
    for module in (sealing, vetting):
        monkeypatch.setattr(module, "is_cipher_there", lambda: False)
    with pytest.raises(SettingsError, match="LG-STORE-03"):
        seal_of_site(site, tmp_path)
    assert [problem.code for problem in vetting.vet(site)] == ["LG-STORE-03"]


def test_a_device_that_is_given_a_forbidden_title_is_refused(tmp_path: Path) -> None:
    text = CARDS[: CARDS.index("derived:")].replace(
        'address: "1"}', 'address: "1", points: {credential: {title: 身份证号}}}'
    )
    assert codes(tmp_path, text) == ["LG-DENY-01"]
