"""Pages of platforms with names of their own: the example loads, and no option is left out."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from gateway.app.site.vet import vet
from gateway.dialects import registry
from gateway.settings.load import load_site

PAGES = Path(__file__).parents[2] / "docs" / "platform" / "dialects"
REST = """\
version: 1
gateway: {id: gw-01, site: my-site}
buses: {meters: {port: by-path/usb-1.2}}
devices: []
"""


@pytest.mark.parametrize("name", ["homeassistant", "huawei_iotda", "jetlinks", "thingsboard"])
def test_the_example_of_the_page_is_a_good_site(name: str, tmp_path: Path) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml fragment\n(.*?)```", page, re.DOTALL)
    assert example is not None
    file = tmp_path / "site.yaml"
    file.write_text(REST + example[1], encoding="utf-8")
    loaded = load_site(file)
    assert loaded.site is not None, [one.text() for one in loaded.problems]
    assert vet(loaded.site) == ()


@pytest.mark.parametrize("name", ["homeassistant", "huawei_iotda", "jetlinks", "thingsboard"])
def test_the_page_names_every_option(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    spec = registry.load(name)
    for plain in (spec.options, spec.device_options):
        known: Any = plain
        for field in fields(known):
            assert field.metadata["description"]
            assert f"| `{field.name}` |" in page, field.name


def test_a_wrong_option_is_reported_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    sink = "sinks: {hz: {dialect: jetlinks, url: mqtt://localhost, options: {auth: sha1}}}\n"
    file.write_text(REST + sink, encoding="utf-8")
    loaded = load_site(file)
    assert loaded.site is not None, [one.text() for one in loaded.problems]
    (problem,) = vet(loaded.site)
    assert (problem.line, problem.path, problem.code) == (5, "sinks.hz.options.auth", "LG-VAL-01")
