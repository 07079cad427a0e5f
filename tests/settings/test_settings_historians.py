"""`historians:` and `history:` of the site file: what is taken, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.app.site.reload import diff
from gateway.model.ids import SinkName
from gateway.settings.load import load_site
from gateway.settings.site import Site
from gateway.settings.site_historians import HISTORY, LocalHistory
from gateway.settings.site_sinks import Secret

LOGIN = "username: u, password: {env: P}"
SITE = """\
version: 1
gateway: {id: gw-1, site: lake}
buses: {m: {memory: m}}
devices: [{id: em-01, profile: eastron/sdm120, bus: m, address: 1}]
sinks: {city: {dialect: native, url: mqtt://localhost}}
"""


def loaded(tmp_path: Path, more: str) -> tuple[Site | None, list[str]]:
    file = tmp_path / "gateway.yaml"
    file.write_text(SITE + more, encoding="utf-8")
    result = load_site(file)
    return result.site, [problem.code for problem in result.problems]


def site_of(tmp_path: Path, more: str) -> Site:
    site, problems = loaded(tmp_path, more)
    assert site is not None, problems
    return site


def test_a_database_of_each_version_is_taken(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        """\
historians:
  old: {url: "http://127.0.0.1:8086/", version: 1, database: lake, retention_policy: year}
  new:
    {url: "https://db.lake/tsdb", org: lake, bucket: b, token: {credential: t}, max_level: L3,
     batch: 500, batch_wait: 2s, timeout: 5s, gzip: false, ca: /etc/linli/ca.pem}
""",
    )
    old, new = site.historians.values()
    assert (old.url, old.version, old.database) == ("http://127.0.0.1:8086", 1, "lake")
    assert (old.retention_policy, old.max_level, old.gzip) == ("year", "L2", True)
    assert (new.url, new.version, new.database) == ("https://db.lake/tsdb", 2, "b")
    assert (new.token, new.max_level) == (Secret("credential", "t"), "L3")
    assert (new.batch_lines, new.batch_wait_s, new.timeout_s) == (500, 2.0, 5.0)
    assert (new.as_sink().name, new.as_sink().max_level) == ("new", "L3")


def test_the_history_is_off_until_it_is_asked_for(tmp_path: Path) -> None:
    assert site_of(tmp_path, "").history is None
    assert site_of(tmp_path, "history: {}\n").history == LocalHistory()
    site = site_of(tmp_path, "history: {days: 3, quota: 20MB, commit_every: 1m}\n")
    assert site.history == LocalHistory(3, 20 << 20, 60.0)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{url: '127.0.0.1:8086', version: 1, database: x}", "LG-HIST-01"),
        ("{url: 'http://h:99999', version: 1, database: x}", "LG-HIST-01"),
        ("{url: 'http://h/write?db=x', version: 1, database: x}", "LG-HIST-01"),
        ("{url: 'http://u:p@127.0.0.1', version: 1, database: x}", "LG-SEC-02"),
        ("{url: 'http://h', org: o}", "LG-HIST-03"),
        ("{url: 'http://h', bucket: b}", "LG-HIST-03"),
        ("{url: 'http://h', version: 1}", "LG-HIST-03"),
        ("{url: 'http://h', version: 1, database: x, org: o}", "LG-HIST-04"),
        ("{url: 'http://h', bucket: b, org: o, database: x}", "LG-HIST-04"),
        ("{url: 'http://h', version: 1, database: x, username: u}", "LG-HIST-05"),
        ("{url: 'http://h', version: 1, database: x, token: abc}", "LG-SEC-01"),
        (f"{{url: 'http://h', version: 1, database: x, token: {{env: T}}, {LOGIN}}}", "LG-DEV-13"),
        ("{url: 'http://h', version: 3, database: x}", "LG-VAL-04"),
        ("{url: 'http://h', version: 1, database: x, batch: 0}", "LG-VAL-03"),
    ],
)
def test_a_mistake_is_told_by_its_code(tmp_path: Path, entry: str, code: str) -> None:
    site, problems = loaded(tmp_path, f"historians: {{db: {entry}}}\n")
    assert site is None
    assert problems == [code]


def test_a_database_cannot_have_the_name_of_a_sink(tmp_path: Path) -> None:
    entry = "{url: 'http://127.0.0.1', version: 1, database: x}"
    assert loaded(tmp_path, f"historians: {{city: {entry}}}\n")[1] == ["LG-HIST-02"]


@pytest.mark.parametrize(
    ("url", "is_told"),
    [("http://10.0.0.1", True), ("https://10.0.0.1", False), ("http://127.0.0.1", False)],
)
def test_a_login_in_the_clear_is_warned_of(tmp_path: Path, url: str, *, is_told: bool) -> None:
    entry = f"{{url: '{url}', org: o, bucket: b, token: {{env: T}}}}"
    site, problems = loaded(tmp_path, f"historians: {{db: {entry}}}\n")
    assert site is not None
    assert problems == (["LG-HIST-06"] if is_told else [])


def test_a_reload_sees_what_changed_of_databases_and_history(tmp_path: Path) -> None:
    entry = "db: {url: 'http://127.0.0.1', version: 1, database: %s}"
    old = site_of(tmp_path, f"history: {{}}\nhistorians: {{{entry % 'a'}}}\n")
    moved = site_of(tmp_path, f"\n\nhistory: {{}}\nhistorians: {{{entry % 'a'}}}\n")
    assert diff(old, moved).is_empty
    new = site_of(tmp_path, f"historians: {{{entry % 'b'}}}\n")
    change = diff(old, new)
    assert change.historians_gone == {"db", HISTORY}
    assert change.historians_new == {"db"}
    assert not change.is_empty


def test_a_database_has_an_allow_list_and_transforms_like_a_sink(tmp_path: Path) -> None:
    entry = "db: {url: 'http://127.0.0.1', version: 1, database: x, %s}"
    lists = "allow: [{points: [u_a]}], transforms: [{points: [i_a], by: drop}]"
    historian = site_of(tmp_path, f"historians: {{{entry % lists}}}\n").historians[SinkName("db")]
    assert historian.allow is not None
    assert [line.points for line in historian.allow] == [("u_a",)]
    assert historian.as_sink().transforms[0].by == "drop"
    wrong = entry % "allow: [{points: [nothing]}]"
    file = tmp_path / "gateway.yaml"
    file.write_text(f"{SITE}historians: {{{wrong}}}\n", encoding="utf-8")
    (problem,) = load_site(file).problems
    assert (problem.code, problem.path) == ("LG-PRIV-03", "historians.db.allow.0")
