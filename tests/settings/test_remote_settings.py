"""`remote:` of the site file: one key, a sound one, and one that this machine can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.keys import sealing
from gateway.app.site import vet
from gateway.settings.load import load_site
from gateway.settings.secret_name import Secret
from gateway.settings.site import Site

SITE = """\
version: 1
gateway: {id: gw-03, site: hz}
sinks: {province: {url: mqtts://platform.example}}
buses: {m: {memory: m}}
devices: [{id: em-01, profile: eastron/sdm120, bus: m, address: 1}]
remote: %s
"""
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"


def _loaded(tmp_path: Path, remote: str) -> tuple[Site | None, list[str]]:
    file = tmp_path / "gateway.yaml"
    file.write_text(SITE % remote, encoding="utf-8")
    result = load_site(file)
    return result.site, [problem.code for problem in result.problems]


def test_a_shared_key_by_name_and_what_it_may(tmp_path: Path) -> None:
    site, codes = _loaded(tmp_path, "{secret: {credential: r}, may: [sinks], watch: 5m}")
    assert codes == []
    assert site is not None
    assert site.remote is not None
    assert site.remote.secret == Secret("credential", "r")
    assert (site.remote.may, site.remote.watch_s) == (frozenset({"sinks"}), 300.0)


@pytest.mark.parametrize(
    ("remote", "code"),
    [
        ("{}", "LG-VAL-11"),
        (f"{{public_key: {PUBLIC}, secret: {{credential: r}}}}", "LG-VAL-11"),
        (f"{{public_key: {PUBLIC[:-1]}}}", "LG-REM-01"),
        ("{secret: 0123456789abcdef}", "LG-SEC-01"),
        ("{secret: {credential: r}, may: [remote]}", "LG-VAL-04"),
        ("{secret: {credential: r}, may: [gateway]}", "LG-VAL-04"),
    ],
)
def test_a_wrong_key_or_right_is_reported(tmp_path: Path, remote: str, code: str) -> None:
    site, codes = _loaded(tmp_path, remote)
    assert site is None
    assert codes == [code]


def test_a_public_key_without_its_package_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, _ = _loaded(tmp_path, f"{{public_key: {PUBLIC}}}")
    assert site is not None
    assert [problem.code for problem in vet.vet(site) if "REM" in problem.code] == []
    monkeypatch.setattr(sealing, "MODULE", "no_such_package")
    assert [problem.code for problem in vet.vet(site) if "REM" in problem.code] == ["LG-REM-02"]
