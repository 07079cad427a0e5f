"""Every form of inventory for two readers, held against golden files.

`python -m tests.inventory.test_inventory_golden` writes them anew; the diff is then read by people.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.inventory.registry import forms
from tests.inventory.inventory_site import HERE, OPEN, TWIN, made

GOLDEN = HERE / "golden"
CASES = [(form, sink) for form in forms() for sink in (OPEN, TWIN)]


def _file(form: str, sink: str) -> Path:
    return GOLDEN / f"{form}.{sink}.json"


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


@pytest.mark.parametrize(("form", "sink"), CASES)
def test_every_form_equals_its_golden_file(form: str, sink: str) -> None:
    assert _text(made(form, sink)) == _file(form, sink).read_text(encoding="utf-8")


def test_every_golden_file_has_a_form() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {_file(*case).name for case in CASES}


if __name__ == "__main__":
    for case in CASES:
        _file(*case).write_text(_text(made(*case)), encoding="utf-8")
