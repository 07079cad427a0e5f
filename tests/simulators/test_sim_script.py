"""What is to happen is read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulators.faults import Fault, FaultKind
from simulators.script import Happening, load_script


def test_a_script_is_read_in_the_order_of_time(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(
        """{"seed": 3, "faults": ["em-05:silent"], "turnaround_ms": {"meters": 20},
        "happenings": [
          {"at": 9, "device": "t", "point": "temp", "value": 40.5, "for": 2},
          {"at": 1, "device": "bay-2", "what": "car", "say": "A car comes."}]}"""
    )
    script = load_script(path)
    assert script.seed == 3
    assert script.faults == {"em-05": (Fault(FaultKind.SILENT),)}
    assert script.turnaround_s == {"meters": 0.02}
    assert script.happenings == (
        Happening(1.0, 10.0, device="bay-2", what="car", say="A car comes."),
        Happening(9.0, 2.0, device="t", point="temp", value=40.5),
    )
    assert [h.title for h in script.happenings] == ["A car comes.", "t: temp"]


@pytest.mark.parametrize("text", ["[]", "{", '{"happenings": [{}]}', '{"faults": ["x"]}'])
def test_what_is_no_script_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"."):
        load_script(path)
