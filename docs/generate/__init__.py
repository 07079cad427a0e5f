"""The pages that are made from code and data: `make docs` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs.generate import dialect_index, dialects
from docs.generate.asyncapi import asyncapi_document
from docs.generate.commands import commands_page
from docs.generate.errors import errors_page
from docs.generate.kinds import kinds_page
from docs.generate.payload import payload_page
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
"""What makes each page of docs/reference, by its file name."""
ASYNCAPI = Path(__file__).parents[1] / "platform" / "asyncapi.yaml"
PAYLOAD = ASYNCAPI.with_name("payload.md")


def platform_pages() -> Iterator[tuple[Path, str]]:
    """Yield the files below docs/platform that are made, or have made parts, as they should be."""
    yield ASYNCAPI, asyncapi_document()
    yield PAYLOAD, payload_page()
    yield from dialect_index.written()
    yield from dialects.written()


def write_pages() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
    for file, text in platform_pages():
        file.write_text(text, encoding="utf-8")
