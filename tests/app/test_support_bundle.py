"""The support bundle: what helps from afar, and no canary in any byte of it."""

from __future__ import annotations

import io
import json
import logging
import time
import zipfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app.support import bundle_of, log_of
from gateway.model.ids import DeviceId
from gateway.ops.recall import MOST_LINES, Recall
from gateway.settings.load import load_site
from gateway.settings.problems import Problem
from gateway.settings.site import Site

CANARIES = (
    "王小明",
    "Zhang San",
    "浙A12345",
    "13800138000",
    "s3cret-user",
    "房间0501",
    "110105194912310021",
    "platform.example",
    "second.example",
    "10.20.30.40",
    "influx.example",
)
SITE = """\
version: 1
gateway: {id: gw-03, site: hz, operator: 王小明, title: 浙A12345, location: {area: 房间0501}}
sinks:
  province:
    url: [mqtts://platform.example, mqtts://second.example]
    username: s3cret-user
    client_id: "13800138000"
historians: {plant: {url: "http://influx.example:8086/db", version: 1, database: lake}}
buses: {m: {memory: m}, net: {tcp: "10.20.30.40:502"}}
devices:
  - id: em-01
    profile: eastron/sdm120
    bus: m
    address: 1
    title: Zhang San
    owner: "110105194912310021"
    location: {bldg: "3", room: "502", house_code: 房间0501}
"""


@pytest.fixture
def recall() -> Generator[Recall]:
    made = Recall()
    made.install()
    yield made
    made.remove()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    file = tmp_path / "gateway.yaml"
    file.write_text(SITE, encoding="utf-8")
    result = load_site(file)
    assert result.site is not None, [problem.text() for problem in result.problems]
    return result.site


def _texts(packed: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(packed)) as bundle:
        assert bundle.testzip() is None
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


def test_no_canary_of_site_log_status_or_problems_is_in_the_bundle(
    site: Site, recall: Recall
) -> None:
    log = logging.getLogger("linli")
    for word in CANARIES:
        log.warning("device of %s does not answer", word)
        log.error(
            "reload refused: %s", f"/etc/linli/gateway.yaml:3:7: devices: {word}. No [LG-X-01]"
        )
    log.error("line gone: '%s'", "a name that no file has")
    status: dict[str, Any] = {
        "why": CANARIES[0],
        "lines": [{"line": "m", "text": f"of {CANARIES[2]}"}],
        "n": 502,
    }
    status["brokers"] = ["platform.example:8883", "second.example:8883"]
    status["historians"] = "http://influx.example:8086/db: refused"
    problem = Problem(f"/home/{CANARIES[1]}/x.yaml", 3, 7, "", "LG-X-01", "error", CANARIES[0], "")
    texts = _texts(bundle_of(site, status, recall, [problem]).content)
    assert not [(name, word) for word in CANARIES for name, text in texts.items() if word in text]
    assert "a name that no file has" not in texts["log.txt"]
    assert "/etc/linli/gateway.yaml:3:7 [LG-X-01]" in texts["log.txt"]
    assert json.loads(texts["status.json"])["n"] == 502, "numbers are no names"
    assert json.loads(texts["problems.json"]) == [
        {"file": "x.yaml", "line": 3, "col": 7, "code": "LG-X-01"}
    ]
    assert json.loads(texts["site.json"])["sinks"]["province"]["max_level"] == "L2"
    assert not [word for word in CANARIES if word in log_of(recall, site).content.decode()]


def test_the_last_lines_are_kept_without_traceback_and_with_their_ids(recall: Recall) -> None:
    log = logging.getLogger("gateway.bus.core")
    log.warning("device offline: %s", "timeout", extra={"device": "em-01", "value": "77.5"})
    try:
        int("a value of 4711")
    except ValueError:
        log.exception("quarantined")
    first, second = recall.lines()
    assert first.endswith("WARNING device offline: timeout device=em-01")
    assert second.endswith("ERROR quarantined")
    for number in range(MOST_LINES + 5):
        log.warning("line %d", number)
    assert len(recall.lines()) == MOST_LINES
    assert recall.lines()[-1].endswith(f"line {MOST_LINES + 4}")


def test_the_same_gateway_gives_the_same_bytes(site: Site, recall: Recall) -> None:
    first, second = (bundle_of(site, {"n": 1}, recall) for _ in range(2))
    assert first == second


def test_a_large_site_is_blanked_in_a_moment(site: Site, recall: Recall) -> None:
    """The gateway waits for it, lines and all."""
    (meter,) = site.devices.values()
    many = {
        DeviceId(f"em-{n}"): replace(meter, id=DeviceId(f"em-{n}"), title={"en": f"Wang No {n}"})
        for n in range(3000)
    }
    log = logging.getLogger("linli")
    for number in range(MOST_LINES):
        log.warning("device of Wang No %d does not answer", number)
    began = time.perf_counter()
    texts = _texts(bundle_of(replace(site, devices=many), {"n": 1}, recall).content)
    assert time.perf_counter() - began < 10, "word by word it took minutes"
    assert "Wang" not in "".join(texts.values())
