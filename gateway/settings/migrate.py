"""Old files to the format of today: one step a version, each a pure function on the tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.settings.checking import Spot
from gateway.settings.problems import Problems, shown
from gateway.settings.yaml_source import Node

CURRENT = 1

STEPS: Mapping[int, Callable[[Node], Node]] = {}
"""From version n to n + 1; a new format adds its step here and its golden files to the tests."""


def migrate(spot: Spot, problems: Problems) -> Spot | None:
    """Return the tree in today's format, or None when its version is missing or unknown."""
    if not isinstance(spot.node.value, dict) or "version" not in spot.node.value:
        return spot  # the model says it better: a mapping, or a missing key
    node = spot.node
    version = node.value["version"].value if isinstance(node.value, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= CURRENT:
        place = spot.at("version")
        problems.add("LG-VER-01", place.where, place.text, found=shown(version), known=CURRENT)
        return None
    for step in range(version, CURRENT):
        node = STEPS[step](node)
    return Spot(spot.file, node, spot.path)
