"""What the platform of a dialect does not do or take is found at the desk."""

from pathlib import Path

import pytest

from gateway.app.site.vet import vet
from gateway.settings.load import load_site
from gateway.settings.problems import Problem

SITE = """\
version: 1
gateway: {{id: gw, site: s}}
sinks:
  hz:
    dialect: huawei_iotda
    url: mqtt://127.0.0.1
    options: {{device_id: gw001, secret: {{credential: hz}}}}
    {more}
buses: {{a: {{port: by-id/x, line: 1200 8N1}}}}
devices: []
"""


def problems_of(folder: Path, *more: str) -> tuple[Problem, ...]:
    """Return what `check` says of a sink with these lines more."""
    file = folder / "site.yaml"
    file.write_text(SITE.format(more="\n    ".join(more)), encoding="utf-8")
    loaded = load_site(file)
    assert loaded.site is not None, [one.text() for one in loaded.problems]
    return vet(loaded.site)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (["keepalive: 120s"], []),
        (["keepalive: 20m"], []),
        (["window: 20"], [("LG-SINK-05", "sinks.hz.keepalive")]),
        (["keepalive: 21m"], [("LG-SINK-05", "sinks.hz.keepalive")]),
        (["keepalive: 120s", "ack: app"], [("LG-SINK-04", "sinks.hz.ack")]),
    ],
)
def test_keep_alive_and_acknowledgement_must_be_what_the_platform_takes(
    more: list[str], found: list[tuple[str, str]], tmp_path: Path
) -> None:
    problems = problems_of(tmp_path, *more)
    assert [(one.code, one.path) for one in problems] == found
    assert all(one.severity == "error" for one in problems)


def test_the_range_of_a_keep_alive_is_said_in_both_languages(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "keepalive: 10s")
    assert "30 s..1200 s" in problem.message
    assert "1200" in problem.in_language("zh").message
