"""The JSON Schemas are up to date, and agree with what loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.settings.catalogue import shipped_config
from gateway.settings.load import load_site
from gateway.settings.problems import Problems
from gateway.settings.schema import MODELS, make_schema, schema_text
from gateway.settings.yaml_source import plain, read_document

CONFIG = shipped_config()


def tree(path: Path) -> Any:
    root = read_document(str(path), path.read_bytes(), Problems()).root
    assert root is not None
    return plain(root)


def faults(name: str, path: Path) -> list[str]:
    validator: Any = Draft202012Validator(make_schema(name))
    return [f"{list(e.path)}: {e.message[:200]}" for e in validator.iter_errors(tree(path))]


@pytest.mark.parametrize("name", MODELS)
def test_the_written_schema_is_the_generated_one(name: str) -> None:
    written = (CONFIG / "schema" / f"{name}.json").read_text(encoding="utf-8")
    assert written == schema_text(name), "run: python -m gateway.settings.schema"
    Draft202012Validator.check_schema(json.loads(written))


def test_every_field_is_described() -> None:
    for name in MODELS:
        schema = make_schema(name)
        for part in (schema, *schema["$defs"].values()):
            for key, field in part.get("properties", {}).items():
                assert field.get("description"), f"{name}: {key}"


def test_the_example_site_loads_and_fits_its_schema() -> None:
    for path in sorted((CONFIG / "sites").glob("*.yaml")):
        assert faults("site", path) == []
        result = load_site(path)
        assert [p.text() for p in result.problems if p.severity == "error"] == []
        assert result.site is not None


def test_shipped_profiles_and_kinds_fit_their_schemas() -> None:
    for name, folder in (("profile", "profiles"), ("kind", "kinds")):
        for path in sorted((CONFIG / folder).rglob("*.yaml")):
            assert faults(name, path) == [], path
