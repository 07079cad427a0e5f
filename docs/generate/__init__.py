"""The reference pages, made from code and data: `make docs` writes docs/reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate.commands import commands_page
from docs.generate.errors import errors_page
from docs.generate.kinds import kinds_page
from docs.generate.profiles import profiles_page
from docs.generate.settings import settings_page

FOLDER = Path(__file__).parents[1] / "reference"
PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "profiles.md": profiles_page,
    "kinds.md": kinds_page,
    "commands.md": commands_page,
}
"""What makes each page, by its file name."""


def write_pages() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
