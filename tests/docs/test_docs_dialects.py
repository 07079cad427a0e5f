"""The page of every dialect: it exists, its tables are the code's, its example is a good site."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from docs.generate import platform_pages
from docs.generate.dialects import option_table, page_of
from gateway.app.site.vet import vet
from gateway.dialects import registry
from gateway.settings.load import load_site

ROOT = Path(__file__).parents[2]
CHINESE = ROOT / "docs" / "zh" / "platform" / "dialects"
SECTIONS = ("## Site file", "## Commands", "## What is lost")
REST = """\
version: 1
gateway: {id: gw-01, site: my-site}
buses: {meters: {port: by-path/usb-1.2}}
devices: []
"""
_FENCE = re.compile(r"^```yaml fragment\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _text(name: str) -> str:
    return page_of(name).read_text(encoding="utf-8")


def _option_names(name: str) -> set[str]:
    spec = registry.load(name)
    plain: tuple[Any, ...] = (spec.options, spec.device_options)
    return {field.name for one in plain for field in fields(one)}


@pytest.mark.parametrize("name", registry.names())
def test_every_dialect_has_a_page_that_says_all(name: str) -> None:
    text = _text(name)
    assert text.startswith(f"# Dialect `{name}`: ")
    assert [section for section in SECTIONS if section not in text] == []
    assert re.search(r"^## (What is sent where|Topics)$", text, re.MULTILINE)
    assert "ack: app" in text, "what confirms a record"
    assert re.search(r"at most|limit|One message|beyond", text), "what one message holds"


@pytest.mark.parametrize("name", registry.names())
def test_the_option_tables_of_a_page_are_the_dataclasses(name: str) -> None:
    text, spec = _text(name), registry.load(name)
    for head, plain in (("option", spec.options), ("of a device", spec.device_options)):
        known: Any = plain
        is_there = option_table(head, plain) in text
        assert is_there is bool(fields(known)), f"a table `| {head} |`, and `make docs`"


def test_what_is_made_below_docs_platform_is_fresh() -> None:
    stale = [file.name for file, text in platform_pages() if file.read_text("utf-8") != text]
    assert stale == [], "run `make docs`"


@pytest.mark.parametrize("name", registry.names())
def test_the_examples_of_a_page_are_good_sites(name: str, tmp_path: Path) -> None:
    chinese = CHINESE / f"{name}.md"
    pages = [_text(name), *([chinese.read_text("utf-8")] if chinese.exists() else [])]
    for page in pages:
        examples = _FENCE.findall(page)
        assert examples
        for example in examples:
            file = tmp_path / "site.yaml"
            file.write_text(REST + example, encoding="utf-8")
            loaded = load_site(file)
            assert loaded.site is not None, [one.text() for one in loaded.problems]
            assert vet(loaded.site) == ()
            assert name in {sink.dialect for sink in loaded.site.sinks.values()}


@pytest.mark.parametrize("page", sorted(CHINESE.glob("*.md")), ids=lambda page: page.stem)
def test_a_chinese_page_names_every_option(page: Path) -> None:
    text = page.read_text("utf-8")
    assert page.stem in registry.names()
    assert [name for name in _option_names(page.stem) if f"`{name}`" not in text] == []
