"""What holds for every form: it says what the births say, and only that, with ids that stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.births import births_of
from gateway.dialects.native.birth import birth_body
from gateway.inventory.registry import forms
from gateway.privacy.door import Door
from tests.inventory.inventory_site import (
    CITY,
    OPEN,
    TWIN,
    a_site,
    an_inventory,
    changed,
    made,
)

FORMS = tuple(forms())
HOME = ("HC-501", "CIM-77", "120.0512", "501室", "Meter of flat", "household", '"502"')
"""What names a home: not below L3."""


def _births(sink: str) -> dict[str, dict[str, Any]]:
    site = a_site()
    to = next(one for name, one in site.sinks.items() if name == sink)
    devices = tuple(site.all_devices.values())
    return {
        str(birth.device): json.loads(f"{{{birth_body(birth)}}}")
        for birth in births_of(devices, Door(to, devices))
    }


@pytest.mark.parametrize("sink", [OPEN, TWIN])
def test_the_native_form_says_what_the_births_say(sink: str) -> None:
    listed = {one["dev"]: one for one in made("native", sink)["devices"]}
    births = _births(sink)
    assert listed.keys() == births.keys()
    for device, birth in births.items():
        entry = listed[device]
        points = {one["p"]: one for one in entry["pts"]}
        assert list(points) == [one["p"] for one in birth["pts"]], device
        for said in birth.pop("pts"):
            known = points[said["p"]]
            names = {"enum": list(dict.fromkeys(said["enum"]))} if "enum" in said else {}
            assert {key: known[key] for key in said} == {**said, **names}, device
        assert {key: entry[key] for key in birth} == birth, device


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_names_a_home_leaves_below_l3(form: str) -> None:
    told = json.dumps(made(form, OPEN), ensure_ascii=False)
    assert not [word for word in HOME if word in told]
    assert "ep_imp" not in told, "a point above the level"


@pytest.mark.parametrize("form", FORMS)
def test_values_that_stay_at_the_site_are_no_points_but_their_events_are_told(form: str) -> None:
    told = json.dumps(made(form, TWIN), ensure_ascii=False)
    if form != "ngsi_ld":
        assert '"motion"' in told
    if form == "native":
        (pir,) = (one for one in made(form, TWIN)["devices"] if one["dev"] == "pir-501")
        assert [point["p"] for point in pir["pts"]] == ["batt"]
        assert pir["events"] == [{"type": "motion", "sev": 0, "p": "active"}]


@pytest.mark.parametrize("form", ["native", "alink", "jetlinks", "wot"])
def test_a_twin_can_be_bound_by_what_the_form_says(form: str) -> None:
    told = json.dumps(made(form, TWIN), ensure_ascii=False)
    wanted = ("HC-501", "CIM-77", "120.0512", "GCJ-02", "household", "某物业", "energy")
    assert not [word for word in wanted if word not in told]


@pytest.mark.parametrize("form", FORMS)
def test_chinese_names_stay_as_they_are_and_a_device_without_place_is_there(form: str) -> None:
    told = json.dumps(made(form, TWIN), ensure_ascii=False)
    assert "501室电表" in told
    assert "house-3" in told


@pytest.mark.parametrize("form", ["ngsi_ld", "wot", "native"])
def test_ids_do_not_depend_on_other_devices(form: str, tmp_path: Path) -> None:
    before = a_site()
    more = "  - {id: aa-first, profile: ./house.yaml, bus: net, address: 9}\n  - id: flat-501\n"
    after = changed(tmp_path, "  - id: flat-501\n", more)
    key = "dev" if form == "native" else "id"

    def entries(site: Any) -> dict[str, Any]:
        document = made(form, TWIN, site)
        listed = document["devices"] if form == "native" else document
        return {one[key]: one for one in listed}

    old, new = entries(before), entries(after)
    assert {id_: new[id_] for id_ in old} == old
    assert len(new) == len(old) + 1
    assert len(old) == len({id_.lower() for id_ in old})


def test_products_are_numbered_in_the_order_of_the_site_file() -> None:
    models = made("alink", TWIN)
    names = [(one["product"], [d["deviceName"] for d in one["devices"]]) for one in models]
    assert names == [
        ("meter.electricity", ["flat-501", "flat-502"]),
        ("meter.electricity~2", ["house-3"]),
        ("parking.space", ["bay-017", "bay-018"]),
        ("security.pir", ["pir-501"]),
        ("parking.zone", ["zone-b1"]),
    ]


def test_the_highest_severity_of_an_event_counts() -> None:
    (flat, *_) = made("native", TWIN)["devices"]
    assert flat["events"] == [{"type": "under_voltage", "sev": 3, "p": "u_a"}]


def test_a_sink_of_another_dialect_has_no_topics_of_ours() -> None:
    assert an_inventory(CITY).topics is None
    for form in ("native", "ngsi_ld"):
        assert "/up/" not in json.dumps(made(form, CITY))
    assert [name for name, form in forms().items() if form.needs_native] == ["wot"]
