"""Loading in a process of its own gives what loading here gives."""

from __future__ import annotations

import sys

import pytest
from estate import SITE, Estate

from gateway.settings.apart import load_site_apart


def test_a_child_gives_the_same_site_with_points_still_shared(estate: Estate) -> None:
    text = SITE.replace(
        "{id: d-1, profile: test/meter, bus: m, address: 1}",
        '{id: "d-{n}", each: {n: 1..9}, profile: test/meter, bus: m, address: "{n}"}',
    )
    here = estate.load(text)
    apart = load_site_apart(estate.folder / "site.yaml", profile_dirs=[estate.folder / "profiles"])
    assert apart == here
    assert apart.site is not None
    assert len({id(device.points) for device in apart.site.devices.values()}) == 1


def test_problems_come_back_with_both_languages(estate: Estate) -> None:
    path = estate.write("site.yaml", "version: 2\n")
    result = load_site_apart(path)
    assert result.site is None
    assert result.problems[0].in_language("zh").remedy


def test_without_a_child_it_loads_here(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    here = estate.load(SITE)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    path = estate.folder / "site.yaml"
    assert load_site_apart(path, profile_dirs=[estate.folder / "profiles"]) == here
