"""JSON Schemas (2020-12) of site, profile and kind, generated from the models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from gateway.settings.models.kind import KindFile
from gateway.settings.models.profile import ProfileFile
from gateway.settings.models.site import SiteFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MODELS: Mapping[str, type[BaseModel]] = {
    "site": SiteFile,
    "profile": ProfileFile,
    "kind": KindFile,
}


def make_schema(name: str) -> dict[str, Any]:
    """Return the schema of site, profile or kind."""
    schema = MODELS[name].model_json_schema(by_alias=True)
    titled = {"$schema": DIALECT, **schema, "title": f"Linli Gateway {name} file, version 1"}
    return cast("dict[str, Any]", _with_short_forms(titled))


def schema_text(name: str) -> str:
    """Return the schema as it lies in config/schema."""
    return json.dumps(make_schema(name), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write all schemas; a test demands that nothing changes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODELS:
        (folder / f"{name}.json").write_text(schema_text(name), encoding="utf-8")


def _with_short_forms(part: Any) -> Any:  # noqa: ANN401 - any part of a JSON document
    """Return the schema with `x-short` marks turned into alternatives."""
    if isinstance(part, list):
        return [_with_short_forms(item) for item in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    made = {key: _with_short_forms(v) for key, v in cast("dict[str, Any]", part).items()}
    short = made.pop("x-short", None)
    if short is None:
        return made
    about = {key: made.pop(key) for key in ("description", "default") if key in made}
    return {**about, "anyOf": [*short, *made.get("anyOf", [made])]}


if __name__ == "__main__":
    write_schemas(Path(__file__).resolve().parents[2] / "config" / "schema")
