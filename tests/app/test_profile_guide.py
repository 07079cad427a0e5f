"""The worked example of the profile guide comes out as the guide says."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from gateway.app.site.samples import check_samples
from gateway.settings.profiles import load_profile

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = [DOCS / "profiles.md", DOCS / "zh" / "profiles.md"]
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FRAME = re.compile(r"^(?:\[..\]|<..>)+$", re.MULTILINE)
_ORDER = re.compile(r"^\| `((?:[0-9A-F]{2} ){3}[0-9A-F]{2})` \| `([ABCD]{4})` \|", re.MULTILINE)

guides = pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: str(guide.relative_to(DOCS)))


def example_of(guide: Path) -> str:
    blocks = _YAML.findall(guide.read_text(encoding="utf-8"))
    (example,) = (b for b in blocks if b.startswith("version: 1\n") and "\nsamples:\n" in b)
    return example


@guides
def test_every_point_of_the_example_is_proved(guide: Path, tmp_path: Path) -> None:
    file = tmp_path / "meter-1.yaml"
    file.write_text(example_of(guide), encoding="utf-8")
    result = load_profile(file)
    assert result.profile is not None
    assert result.problems == ()
    verdict = check_samples(result.profile)
    assert (verdict.faults, verdict.unproved, len(verdict.proved)) == ((), frozenset(), 8)


@guides
def test_the_bytes_of_the_first_step_are_those_of_the_sample(guide: Path) -> None:
    frames = _FRAME.findall(guide.read_text(encoding="utf-8"))
    request, reply = (" ".join(re.findall(r"[0-9A-F]{2}", line)) for line in frames)
    assert f'request: "{request}"' in example_of(guide)
    assert f'reply: "{reply}"' in example_of(guide)


@guides
def test_the_table_of_orders_is_right(guide: Path) -> None:
    orders = {order: octets for octets, order in _ORDER.findall(guide.read_text(encoding="utf-8"))}
    octets = struct.pack(">i", 5250)
    assert {order: bytes.fromhex(text) for order, text in orders.items()} == {
        order: bytes(octets["ABCD".index(place)] for place in order)
        for order in ("ABCD", "CDAB", "BADC", "DCBA")
    }
