"""Which files a site is made of, before any of them is read."""

from __future__ import annotations

from pathlib import Path

MAIN_FILE = "gateway.yaml"
PARTS_FOLDER = "conf.d"


def files_of(path: Path) -> list[Path]:
    """Return the files of a site, the main one first.

    A folder means its gateway.yaml; beside a gateway.yaml, conf.d/*.yaml belong to it.
    """
    main = path / MAIN_FILE if path.is_dir() else path
    parts = main.parent / PARTS_FOLDER
    if main.name != MAIN_FILE or not parts.is_dir():
        return [main]
    return [main, *sorted(parts.glob("*.yaml"))]
