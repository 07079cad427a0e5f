"""The AsyncAPI document, judged by the parser of the AsyncAPI project itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "platform" / "asyncapi.yaml"
CHECK = Path(__file__).parent / "asyncapi" / "check.mjs"
PARSER = ROOT / "build" / "asyncapi"
FAULTS = {
    "action": ("action: send", "action: shout"),
    "message": ("#/components/messages/prop", "#/components/messages/nothing"),
    "schema": ("payload/prop.json", "payload/nothing.json"),
}


def test_the_parser_accepts_the_document_and_sees_what_would_be_wrong(tmp_path: Path) -> None:
    config = os.path.relpath(ROOT / "config", tmp_path)  # the parser knows no other way up
    text = DOCUMENT.read_text(encoding="utf-8").replace("../../config", config)
    broken: list[Path] = []
    for name, (right, wrong) in FAULTS.items():
        assert right in text
        broken.append(tmp_path / f"{name}.yaml")
        broken[-1].write_text(text.replace(right, wrong, 1), encoding="utf-8")
    moved = tmp_path / "moved.yaml"
    moved.write_text(text, encoding="utf-8")
    whole, elsewhere, *others = _judged(DOCUMENT, moved, *broken)
    assert [one for one in (*whole, *elsewhere) if one[0] in {"error", "warning"}] == []
    assert len(others) == len(FAULTS)
    assert all("error" in [one[0] for one in found] for found in others)


def _judged(*documents: Path) -> list[list[list[str]]]:
    command = ["node", str(CHECK), str(PARSER), *map(str, documents)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
