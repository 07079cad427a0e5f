"""A small community for all tests of inventories: flats, a house, bays, a home with a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.inventory.contract import Inventory
from gateway.inventory.registry import forms
from gateway.inventory.things import inventory_of
from gateway.model.ids import SinkName
from gateway.privacy.door import Door
from gateway.settings.load import load_site
from gateway.settings.site import Site

HERE = Path(__file__).parent
SITE = HERE / "site" / "gateway.yaml"
OPEN, TWIN, CITY = "open", "twin", "city"
"""Sinks: up to L1; up to L4 with a home's detector let out; of another dialect."""


def a_site(file: Path = SITE) -> Site:
    """Return the site of a file that has no errors."""
    result = load_site(file)
    assert result.site is not None, [problem.text() for problem in result.problems]
    return result.site


def an_inventory(sink: str, site: Site | None = None) -> Inventory:
    """Return what that sink's platform may have."""
    loaded = a_site() if site is None else site
    devices = tuple(loaded.all_devices.values())
    to = loaded.sinks[SinkName(sink)]
    return inventory_of(loaded.gateway, to, devices, Door(to, devices))


def made(form: str, sink: str, site: Site | None = None) -> Any:
    """Return one form of it."""
    return forms()[form].make(an_inventory(sink, site))


def changed(folder: Path, old: str, new: str) -> Site:
    """Return the site with a text of its file replaced, from a folder of its own."""
    for file in SITE.parent.iterdir():
        text = file.read_text(encoding="utf-8")
        if file == SITE:
            assert old in text
            text = text.replace(old, new)
        (folder / file.name).write_text(text, encoding="utf-8")
    return a_site(folder / SITE.name)
