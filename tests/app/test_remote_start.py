"""Which site a gateway starts with, when something of it is gone."""

from __future__ import annotations

from pathlib import Path

from gateway.app.remote import start
from gateway.app.remote.files import Bundle, Owed, RemoteFiles
from gateway.app.site import last_good
from gateway.remote.files import hash_of

OWED = Owed("r-1", "p", "done", "", "")
SITE = """\
version: 1
gateway: {{id: gw-1, site: {name}}}
buses: {{m: {{memory: m}}}}
devices: [{{id: em-1, profile: {profile}, bus: m, address: 1}}]
"""


def _from_afar(tmp_path: Path, profile: str, own_profile: str = "eastron/sdm120") -> RemoteFiles:
    """Return the files of a gateway that runs a configuration from afar."""
    file = tmp_path / "gateway.yaml"
    file.write_text(SITE.format(name="own", profile=own_profile), encoding="utf-8")
    remote = RemoteFiles(tmp_path / "state", file)
    remote.note([file])
    contents = {"gateway.yaml": SITE.format(name="afar", profile=profile).encode()}
    bundle = Bundle(hash_of(contents))
    remote.stage(bundle, contents)
    remote.begin(bundle, OWED)
    remote.keep(OWED)
    return RemoteFiles(tmp_path / "state", file)


def test_what_came_from_afar_runs(tmp_path: Path) -> None:
    remote = _from_afar(tmp_path, "eastron/sdm120")
    found = start.load(remote, tmp_path / "state", strict=False)
    assert found.source == remote.main != remote.operators
    assert (found.started.result.site is not None, found.given_up) == (True, ())


def test_a_profile_that_is_gone_gives_way_to_the_operators_file(tmp_path: Path) -> None:
    remote = _from_afar(tmp_path, "vendor/gone")
    found = start.load(remote, tmp_path / "state", strict=False)
    assert found.source == remote.operators
    assert found.started.result.site is not None
    assert not found.started.is_fallback
    assert any("vendor/gone" in problem.message for problem in found.given_up)
    assert remote.is_local


def test_strict_gives_up_nothing(tmp_path: Path) -> None:
    remote = _from_afar(tmp_path, "vendor/gone")
    found = start.load(remote, tmp_path / "state", strict=True)
    assert found.started.result.site is None
    assert not remote.is_local


def test_where_nothing_loads_what_was_asked_for_says_why(tmp_path: Path) -> None:
    remote = _from_afar(tmp_path, "vendor/gone", own_profile="vendor/gone-too")
    found = start.load(remote, tmp_path / "state", strict=False)
    assert found.started == last_good.Started(found.started.result, ())
    assert found.started.result.site is None
    assert not remote.is_local
