"""The documentation says what is so: examples load, links lead somewhere, references are fresh."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from docs.generate import FOLDER, PAGES
from docs.generate.markdown import anchor
from drivers import registry
from gateway.app.site.vet import vet
from gateway.cli.main import load_verb, verb_names
from gateway.settings.load import load_site
from gateway.settings.models.profile import ProfileFile
from gateway.settings.models.site import SiteFile
from gateway.settings.problems import Problem
from gateway.settings.profiles import load_profile

ROOT = Path(__file__).parents[2]
MARKDOWN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")

SITE_KEYS = set(SiteFile.model_fields)
PROFILE_KEYS = set(ProfileFile.model_fields)
SITE_REST: Mapping[str, str] = {
    "version": "version: 1",
    "gateway": "gateway: {id: gw-01, site: my-site}",
    "sinks": "sinks: {province: {url: mqtt://127.0.0.1}}",
    "buses": "buses: {meters: {port: by-path/usb-1.2}}",
}
PROFILE_REST: Mapping[str, str] = {
    "version": "version: 1",
    "profile": "profile: example/fragment",
    "title": "title: Fragment",
    "kind": "kind: meter.electricity",
    "driver": "driver: modbus",
    "points": "points: {u_a: {register: 0}, i_c: {register: 1}, ep_imp: {register: 2}}",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def keys(self) -> set[str]:
        """The keys at its top."""
        return set(yaml.safe_load(self.text))

    @property
    def is_fragment(self) -> bool:
        """Whether it leaves out what a whole file needs."""
        if self.keys & {"gateway", "profile"}:
            return not self.keys & {"gateway", "points"}
        return True

    def __str__(self) -> str:
        """Name the page and the line."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, match[1], match[2].strip(), match[3])


BLOCKS = [block for page in MARKDOWN for block in _blocks(page)]
EXAMPLES = [block for block in BLOCKS if block.language == "yaml"]


def _errors(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.text() for problem in problems if problem.severity == "error"]


def _completed(block: Block, rest: Mapping[str, str]) -> str:
    missing = [text for key, text in rest.items() if key not in block.keys]
    return "\n".join([*missing, block.text]) if block.is_fragment else block.text


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_every_yaml_example_loads_without_errors(block: Block, tmp_path: Path) -> None:
    for table in _blocks(block.page):
        if table.language == "csv" and table.mark:
            file = tmp_path / table.mark
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(table.text, encoding="utf-8")
    file = tmp_path / "example.yaml"
    if block.keys <= SITE_KEYS:
        assert block.mark == "fragment" * block.is_fragment, "write `yaml fragment` for a part"
        file.write_text(_completed(block, SITE_REST), encoding="utf-8")
        loaded = load_site(file)
        vetted = () if loaded.site is None else vet(loaded.site)
        assert not _errors((*loaded.problems, *vetted))
    else:
        assert block.keys <= PROFILE_KEYS, f"{block} is neither of a site nor of a profile"
        file.write_text(_completed(block, PROFILE_REST), encoding="utf-8")
        assert not _errors(load_profile(file).problems)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "sh"], ids=str)
def test_every_command_that_is_shown_can_be_typed(block: Block) -> None:
    for line in re.findall(r"^(?:sudo )?linli (.+)$", block.text, re.MULTILINE):
        verb, *typed = shlex.split(line.partition(" > ")[0], comments=True)
        assert verb in verb_names()
        parser = argparse.ArgumentParser(exit_on_error=False)
        load_verb(verb).configure(parser)
        assert parser.parse_args(typed)


def test_the_guides_carry_the_same_examples_in_both_languages() -> None:
    for english in (ROOT / "docs").glob("*.md"):
        chinese = ROOT / "docs" / "zh" / english.name
        if chinese.exists():
            counts = [
                [block.language for block in _blocks(page) if block.language in {"yaml", "csv"}]
                for page in (english, chinese)
            ]
            assert counts[0] == counts[1], english.name


@pytest.mark.parametrize("name", registry.names())
def test_a_driver_has_a_page_in_chinese_with_the_same_keys_and_examples(name: str) -> None:
    pages = [ROOT / "docs" / folder / f"{name}.md" for folder in ("drivers", "zh/drivers")]
    english, chinese = ([_plain(block.text) for block in _blocks(page)] for page in pages)
    assert english == chinese
    said, told = (set(_ROW.findall(page.read_text("utf-8"))) for page in pages)
    assert said - told == set()


_ROW = re.compile(r"^\| `([a-z0-9_-]+)`", re.MULTILINE)


def _plain(example: str) -> str:
    """Return an example without its comments."""
    return "\n".join(re.sub(r"\s*#.*", "", line) for line in example.splitlines())


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    dead: list[str] = []
    for target in _LINK.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (heading and heading not in _anchors(file)):
            dead.append(target)
    assert not dead


def _anchors(page: Path) -> set[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {anchor(title) for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_code_and_data_say_today(name: str) -> None:
    file = FOLDER / name
    assert file.exists(), f"{file} is missing: run `make docs`"
    is_fresh = file.read_text(encoding="utf-8") == PAGES[name]()
    assert is_fresh, f"docs/reference/{name} is out of date: run `make docs`"


def test_no_reference_page_is_left_over() -> None:
    assert {file.name for file in FOLDER.glob("*")} == set(PAGES)


def test_examples_of_the_site_guide_need_no_warning(tmp_path: Path) -> None:
    (whole,) = [
        block
        for block in EXAMPLES
        if block.page == ROOT / "docs" / "site-file.md" and not block.is_fragment
    ]
    file = tmp_path / "gateway.yaml"
    file.write_text(whole.text, encoding="utf-8")
    table = next(block for block in _blocks(whole.page) if block.language == "csv")
    (tmp_path / table.mark).parent.mkdir()
    (tmp_path / table.mark).write_text(table.text, encoding="utf-8")
    assert load_site(file).problems == ()
