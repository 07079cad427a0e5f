"""The AsyncAPI document, judged by the parser of the AsyncAPI project itself."""

from __future__ import annotations

import json
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


def test_the_parser_accepts_the_document_and_sees_what_would_be_wrong() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    broken: list[Path] = []
    try:
        for name, (right, wrong) in FAULTS.items():
            assert right in text
            file = DOCUMENT.with_name(f"broken-{name}.yaml")  # beside its schemas
            broken.append(file)
            file.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        whole, *others = _judged(DOCUMENT, *broken)
    finally:
        for file in broken:
            file.unlink(missing_ok=True)
    assert [one for one in whole if one[0] in {"error", "warning"}] == []
    assert len(others) == len(FAULTS)
    assert all("error" in [one[0] for one in found] for found in others)


def _judged(*documents: Path) -> list[list[list[str]]]:
    command = ["node", str(CHECK), str(PARSER), *map(str, documents)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
