"""One entry of `devices:` -> the devices that it means: `each`, `except`, and rows of a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from gateway.model.ids import is_id
from gateway.settings.checking import Spot, add_bad_value, check
from gateway.settings.csv_source import read_table
from gateway.settings.models.site import DeviceEntry, DevicePatch
from gateway.settings.problems import BadValue, Fact, Phrase, Problems, shown
from gateway.settings.templates import fill
from gateway.settings.where import Where

MOST_DEVICES = 5000
_TEXTS = ("profile", "variant", "bus", "address", "protocol")
_MAPPINGS = ("title", "location", "variables")


@dataclass(frozen=True, slots=True)
class Draft:
    """One device as the files say it, templates filled in, nothing looked up yet."""

    id: str
    settings: DevicePatch
    spot: Spot
    """The place that stands for the device itself: its entry, or its row."""
    spots: tuple[Spot, ...]
    """Where its settings stand: `except` or row first, then the entry."""

    def spot_of(self, key: str) -> Spot:
        """Return the mapping that holds a key of this device."""
        return next((spot for spot in self.spots if spot.has(key)), self.spot)

    def at(self, key: str) -> Spot:
        """Return the spot of a setting of this device."""
        return self.spot_of(key).at(key)


class Expander:
    """Expands entries; `files` are the tables that were read."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._count = 0
        self.files: dict[Path, bytes] = {}

    def drafts(self, entry: DeviceEntry, spot: Spot) -> Iterator[Draft]:
        """Yield the devices of one entry; those that are wrong are reported and left out."""
        for key, other in (("from", "each"), ("from", "id"), ("from", "except")):
            if spot.has(key) and spot.has(other):
                facts = {"key": key, "other": other}
                self._problems.add("LG-DEV-13", spot.at_key(other), spot.text, **facts)
                return
        made = self._rows(entry, spot) if entry.source else self._counted(entry, spot)
        for draft in made:
            self._count += 1
            if self._count > MOST_DEVICES:
                self._problems.add("LG-DEV-14", spot.where, spot.text, limit=MOST_DEVICES)
                return
            yield draft

    # --- each and except ---------------------------------------------------------------------

    def _counted(self, entry: DeviceEntry, spot: Spot) -> Iterator[Draft]:
        if entry.id is None:
            self._problems.add("LG-KEY-02", spot.where, f"{spot.text}.id", key="id")
            return
        patches = entry.except_ or {}
        unused = set(patches)
        for scope in _scopes(entry.each or {}):
            name = self._filled(entry.id, scope, spot.at("id"))
            if name is None:
                return
            number = ",".join(str(value) for value in scope.values())
            key = name if name in patches else number
            unused.discard(key)
            spots = (spot.at("except", key), spot) if key in patches else (spot,)
            draft = self._draft(Draft(name, merged(entry, patches.get(key)), spot, spots), scope)
            if draft is not None:
                yield draft
        if self._count <= MOST_DEVICES:
            for key in sorted(unused):
                place = spot.at("except")
                self._problems.add("LG-DEV-12", place.at_key(key), place.text, name=key)

    def _draft(self, draft: Draft, scope: Mapping[str, int]) -> Draft | None:
        settings = draft.settings
        if not is_id(draft.id):
            place = draft.at("id")
            self._problems.add("LG-VAL-06", place.where, place.text, found=f"'{draft.id[:40]}'")
            return None
        changed: dict[str, Any] = {}
        for key in _TEXTS:
            text = getattr(settings, key)
            if text is not None and "{" in text:
                changed[key] = self._filled(text, scope, draft.at(key))
        for key in _MAPPINGS:
            texts = cast("dict[str, str] | None", getattr(settings, key))
            if texts and any("{" in text for text in texts.values()):
                place = draft.at("set" if key == "variables" else key)
                changed[key] = {
                    part: self._filled(text, scope, place.at(part)) or ""
                    for part, text in texts.items()
                }
        return replace(draft, settings=settings.model_copy(update=changed)) if changed else draft

    def _filled(self, text: str, scope: Mapping[str, int], spot: Spot) -> str | None:
        try:
            return fill(text, scope)
        except BadValue as bad:
            add_bad_value(self._problems, bad, spot)
            return None

    # --- tables ------------------------------------------------------------------------------

    def _rows(self, entry: DeviceEntry, spot: Spot) -> Iterator[Draft]:
        path = Path(spot.file).parent / str(entry.source)
        octets, rows = read_table(path, spot.at("from"), self._problems)
        self.files[path] = octets
        for number, row in enumerate(rows, start=1):
            patch = check(DeviceEntry, row, self._problems)
            if patch is None:
                continue
            if patch.id is None:
                self._problems.add("LG-KEY-02", row.where, "id", key="id")
                continue
            draft = self._draft(
                Draft(patch.id, merged(entry, patch), row, (row, spot)), {"row": number}
            )
            if draft is not None:
                yield draft


def merged(entry: DevicePatch, patch: DevicePatch | None) -> DevicePatch:
    """Return the entry with what the patch says otherwise; mappings are merged by key."""
    if patch is None:
        return entry
    changed: dict[str, Any] = {}
    for key in patch.model_fields_set & DevicePatch.model_fields.keys():
        new, old = getattr(patch, key), getattr(entry, key)
        changed[key] = {**old, **new} if isinstance(new, dict) and isinstance(old, dict) else new
    return entry.model_copy(update=changed)


def check_unique(drafts: Iterator[Draft], problems: Problems) -> dict[str, Draft]:
    """Return the devices by id; an id that is taken is reported with the place of the other."""
    taken: dict[str, Draft] = {}
    for draft in drafts:
        if draft.id in taken:
            other: Where = taken[draft.id].spot.where
            place = draft.at("id")
            facts = {"id": draft.id, "file": other.file, "line": other.line}
            problems.add("LG-DEV-01", place.where, place.text, **facts)
        else:
            taken[draft.id] = draft
    return taken


def variables_of(draft: Draft, problems: Problems) -> dict[str, int]:
    """Return the device's `set:` as whole numbers."""
    variables: dict[str, int] = {}
    for name, text in (draft.settings.variables or {}).items():
        digits = text.removeprefix("-")
        if digits.isascii() and digits.isdecimal():
            variables[name] = int(text)
        elif text:
            place = draft.at("set").at(name)
            facts: dict[str, Fact] = {"expected": Phrase("whole"), "found": shown(text)}
            problems.add("LG-VAL-01", place.where, place.text, **facts)
    return variables


def _scopes(each: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, int]]:
    for numbers in itertools.product(*each.values()):
        yield dict(zip(each, numbers, strict=True))
