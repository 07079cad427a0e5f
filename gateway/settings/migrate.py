"""Old files to the format of today: one step a version, each a pure function on the tree.

At every load this happens in memory, and the user's file stays as it is. `linli migrate` rewrites
it, by steps on the text, so that comments and order stay.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.settings.checking import Spot
from gateway.settings.problems import Problems, shown
from gateway.settings.yaml_source import Node

CURRENT = 1

STEPS: Mapping[int, Callable[[Node], Node]] = {}
"""From version n to n + 1; a new format adds its step here and its golden files to the tests."""
TEXT_STEPS: Mapping[int, Callable[[str], str]] = {}
"""The same for `migrate_file`: each returns the text with its new version."""
_VERSION = re.compile(r"^version:[ \t]*(\d+)[ \t]*(?:#.*)?$", re.MULTILINE)


class NotMigrated(Exception):
    """The file cannot be rewritten; the text says why."""


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


def migrate_file(
    file: Path,
    *,
    steps: Mapping[int, Callable[[str], str]] = TEXT_STEPS,
    current: int = CURRENT,
) -> Path | None:
    """Rewrite a file of an older format; return its backup, None when it is of today.

    Whole or not at all: a cut at any moment leaves the old file or the new one, and once the new
    one is there, so is the backup.

    Raises:
        NotMigrated: it has no version, or one that is not known.
        OSError: the disk does not let us; the old file is untouched.
    """
    text = file.read_text(encoding="utf-8")
    found = _VERSION.search(text)
    if found is None:
        raise NotMigrated(f"{file}: there is no line `version: 1` in it")
    version = int(found[1])
    if not 1 <= version <= current:
        raise NotMigrated(f"{file}: version {version} is not known, only 1 to {current}")
    if version == current:
        return None
    for step in range(version, current):
        text = steps[step](text)
    backup, fresh = (file.with_name(f"{file.name}.{end}") for end in (f"v{version}", "new"))
    for source, target in ((file.read_bytes(), backup), (text.encode(), fresh)):
        _write_durably(source, target, like=file)
    fresh.replace(file)
    _sync_folder(file.parent)
    return backup


def _write_durably(content: bytes, target: Path, *, like: Path) -> None:
    with target.open("wb") as opened:
        opened.write(content)
        shutil.copymode(like, target)
        opened.flush()
        os.fsync(opened.fileno())
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
