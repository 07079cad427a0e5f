"""`linli decode` takes every golden frame of every driver apart, or refuses it with its reason."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from drivers import registry
from tests.e2e.support_cli import linli

ROOT = Path(__file__).parents[2]
PROTOCOLS = [(name, p) for name in registry.names() for p in registry.load(name).speakers]


def vectors(name: str, protocol: str) -> list[dict[str, Any]]:
    (file,) = (ROOT / "drivers" / name).glob("vectors.*")
    every: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return sorted((v for v in every if v["protocol"] == protocol), key=lambda v: v["direction"])


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_every_golden_frame_goes_through_the_command(
    name: str, protocol: str, tmp_path: Path
) -> None:
    for direction, group in groupby(vectors(name, protocol), key=lambda v: v["direction"]):
        those = list(group)
        text = "\n".join(vector["hex"] for vector in those)
        done = linli(
            "decode", protocol, "-", "--json", "--direction", direction, base=tmp_path, text=text
        )
        found = done.json_lines()
        assert len(found) == len(those)
        for vector, said in zip(those, found, strict=True):
            assert said["protocol"] == protocol
            assert said["ok"] == ("refused" not in vector), (vector["id"], said["error"])
            assert vector.get("refused", "") in (said["error"] or "")
            shown = {key: said["frame"].get(key) for key in vector["decoded"]}
            assert shown == vector["decoded"], vector["id"]
        assert done.status == int(any("refused" in vector for vector in those))
