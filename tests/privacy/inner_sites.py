"""Sites with derived points, loaded as the gateway loads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark
from gateway.model.reading import PointColumn, Readings, Value
from gateway.settings.load import load_site
from gateway.settings.problems import Problem
from gateway.settings.site import Site

METERS = """\
version: 1
gateway: {id: gw-1, site: lake, clock: trusted}
buses: {m: {memory: m}}
devices:
  - {id: "em-{n:02}", each: {n: 1..6}, profile: eastron/sdm120, bus: m, address: "{n}"}
"""


def loaded(folder: Path, text: str) -> tuple[Site | None, tuple[Problem, ...]]:
    """Return the site of a text, and what was found."""
    file = folder / "gateway.yaml"
    file.write_text(text, encoding="utf-8")
    result = load_site(file)
    return result.site, result.problems


def a_site(folder: Path, text: str) -> Site:
    """Return the site of a text that is right."""
    site, problems = loaded(folder, text)
    assert site is not None, "\n".join(problem.text() for problem in problems)
    return site


def codes(folder: Path, text: str) -> list[str]:
    """Return the codes of what is wrong with a text, warnings of devices left out."""
    _, problems = loaded(folder, text)
    ours = ("LG-DER", "LG-DENY", "LG-KEY", "LG-VAL")
    return [p.code for p in problems if p.code.startswith(ours)]


def read(
    device: str, ts_ms: int, marks: Mapping[str, Mark] | None = None, /, **values: Value | None
) -> Readings:
    """Return readings of a device as the rules leave them."""
    column = PointColumn(tuple(PointId(name) for name in values), (None,) * len(values))
    found = None if marks is None else tuple(marks[name] for name in values)
    return Readings(
        DeviceId(device), column, tuple(values.values()), found, ts_ms, TimeQuality.SYNC
    )
