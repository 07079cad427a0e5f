"""A trial: at every end what runs is what the book names, and who asked is answered."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.app.commands.asking import LineFailed
from gateway.app.outward.postbox import Postbox
from gateway.app.remote.files import Bundle, Owed, RemoteFiles
from gateway.app.remote.trial import MOST_SILENT, Trials
from gateway.dialects.contract import Configuration
from gateway.model.ids import DeviceId, SinkName
from gateway.model.quality import GOOD
from gateway.model.reading import Reading
from gateway.remote.files import hash_of
from gateway.settings.load import load_site
from gateway.settings.problems import Problem, make_problem
from gateway.settings.site import Site
from gateway.settings.where import Where

NOW_MS = 1_763_888_400_000
SINK = SinkName("province")
RUNS = Configuration("ab" * 32, "local", "2026-10")
HEAD = """\
version: 1
gateway: {id: gw-03, site: hz}
sinks: {province: {url: mqtts://platform.example}}
buses: {m: {memory: m}}
"""
OLD = HEAD + "devices: [{id: em-00, profile: eastron/sdm120, bus: m, address: 100}]\n"
NEW = (
    HEAD
    + """\
devices: [{id: "em-{n:02}", each: {n: 1..40}, profile: eastron/sdm120, bus: m, address: "{n}"}]
"""
)


def _nothing(_: DeviceId) -> Sequence[Reading]:
    return ()


def _site(file: Path, text: str) -> Site:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    site = load_site(file).site
    assert site is not None
    return site


@dataclass(slots=True)
class _House:
    """All that a trial looks at: one line, one platform, devices that answer or do not."""

    site: Site
    files: RemoteFiles
    post: Postbox = field(default_factory=Postbox)
    refused: Sequence[Problem] = ()
    silent: frozenset[str] = frozenset()
    offline: frozenset[str] = frozenset()
    is_connected: bool = True
    asked: list[str] = field(default_factory=list[str])
    told: list[str] = field(default_factory=list[str])
    ran: list[tuple[int, Path]] = field(default_factory=list[tuple[int, Path]])
    """Devices of every site that was run, and what a reload would have loaded then."""
    copied: list[int] = field(default_factory=list[int])
    """Devices of every site of which a copy was kept."""
    meanwhile: Callable[[], None] = lambda: None
    """What happens while the new site runs."""

    # --- the rooms

    @property
    def clock(self) -> Any:
        return SimpleNamespace(now_ms=lambda: NOW_MS)

    @property
    def pipeline(self) -> Any:
        states = {
            DeviceId(id_): SimpleNamespace(is_online=id_ not in self.offline)
            for id_ in map(str, self.site.devices)
            if id_ in self.offline
        }
        reporter = SimpleNamespace(latest_of=_nothing)
        return SimpleNamespace(device_states=lambda: states, reporter=reporter)

    @property
    def lines(self) -> Any:
        stats = [SimpleNamespace(line=name, is_up=True) for name in self.site.lines]
        return SimpleNamespace(stats=lambda: stats, read=self._read)

    @property
    def platforms(self) -> Any:
        status = [{"name": str(SINK), "connected": self.is_connected}]
        return SimpleNamespace(status=lambda: status, tell=self._tell)

    async def _read(self, id_: DeviceId, *_: Any, **__: Any) -> Sequence[Reading]:
        self.asked.append(str(id_))
        if str(id_) in self.silent:
            raise LineFailed("timeout", "no answer")
        return [cast("Reading", SimpleNamespace(mark=GOOD))]

    async def _tell(self) -> None:
        assert self.post.configuration is not None
        self.told.append(self.post.configuration.state)

    # --- the daemon

    async def take_over(self, site: Site) -> None:
        self.ran.append((len(site.devices), self.files.source()))
        self.site, self.refused = site, ()
        if len(site.devices) > 1:
            self.meanwhile()

    async def keep_copy(self, site: Site) -> None:
        self.copied.append(len(site.devices))


@dataclass(slots=True)
class _Trial:
    """The stage: the operator's file, a bundle that came, and a house that runs the file."""

    base: Path
    own: Path
    files: RemoteFiles
    house: _House
    bundle: Bundle
    site: Site

    async def run(self) -> Owed:
        """Run it, and return what is answered."""
        trials = Trials(cast("Any", self.house), self.house, self.files)
        await trials.run("r-1", SINK, self.bundle, self.site)
        assert self.files.book.owed is not None
        return self.files.book.owed

    def after_a_restart(self) -> RemoteFiles:
        """Return the files as the next run finds them."""
        files = RemoteFiles(self.base / "state", self.own)
        files.recover()
        return files


@pytest.fixture
def trial(tmp_path: Path) -> _Trial:
    own = tmp_path / "etc" / "gateway.yaml"
    old = _site(own, OLD)
    files = RemoteFiles(tmp_path / "state", own)
    files.note(old.files)
    contents = {"gateway.yaml": NEW.encode()}
    bundle = Bundle(hash_of(contents), "2026-11")
    files.stage(bundle, contents)
    house = _House(old, files)
    house.post.configuration = RUNS
    return _Trial(tmp_path, own, files, house, bundle, _site(tmp_path / "new.yaml", NEW))


def _bad() -> Problem:
    return make_problem("LG-REM-01", Where("gateway.yaml", 1, 1))


async def test_what_is_as_well_as_before_is_kept(trial: _Trial) -> None:
    owed = await trial.run()
    assert (owed.status, owed.code) == ("done", "")
    assert trial.house.told == ["trying", "applied"]
    assert trial.house.copied == [40]
    assert trial.files.book.running == trial.bundle
    assert trial.after_a_restart().source().read_text(encoding="utf-8") == NEW


async def test_a_reload_while_it_is_taken_back_does_not_bring_it_back(trial: _Trial) -> None:
    trial.house.silent = frozenset({"em-07"})
    owed = await trial.run()
    assert (owed.status, owed.code) == ("failed", "rolled_back")
    assert "em-07" in owed.message
    (_, tried), (devices, loaded) = trial.house.ran
    assert tried.parent.name == trial.bundle.hash
    assert (devices, loaded) == (1, trial.own), "the book comes first"
    assert trial.house.told == ["trying", "rolled_back"]
    assert trial.house.post.configuration == Configuration(RUNS.hash, "rolled_back", "2026-10")
    assert trial.after_a_restart().source() == trial.own


async def test_a_platform_that_is_lost_takes_it_back(trial: _Trial) -> None:
    def cut() -> None:
        trial.house.is_connected = False

    trial.house.meanwhile = cut
    owed = await trial.run()
    assert (owed.code, "province" in owed.message) == ("rolled_back", True)
    assert trial.house.site.devices.keys() == {"em-00"}


async def test_a_line_of_silent_devices_is_not_asked_to_its_end(trial: _Trial) -> None:
    trial.house.silent = frozenset(map(str, trial.site.devices))
    assert (await trial.run()).code == "rolled_back"
    assert len(trial.house.asked) == MOST_SILENT


async def test_a_device_that_was_offline_before_is_not_asked(trial: _Trial) -> None:
    again = OLD.replace("address: 100", "address: 101")
    trial.site = _site(trial.base / "again.yaml", again)
    trial.house.offline = trial.house.silent = frozenset({"em-00"})
    contents = {"gateway.yaml": again.encode()}
    trial.bundle = Bundle(hash_of(contents))
    trial.files.stage(trial.bundle, contents)
    assert (await trial.run()).status == "done"
    assert trial.house.asked == []
    assert trial.files.book.running == trial.bundle


@pytest.mark.parametrize("is_bad", [False, True])
async def test_the_operator_who_edits_in_the_trial_has_the_last_word(
    trial: _Trial, *, is_bad: bool
) -> None:
    """A bad edit does not leave what was tried running, unwatched."""
    house = trial.house

    def edit_and_reload() -> None:
        trial.own.write_text(OLD + "# edited\n", encoding="utf-8")
        assert trial.files.source() == trial.own
        if is_bad:
            house.refused = [_bad()]
        else:
            house.site = _site(trial.own, OLD + "# edited\n")

    house.meanwhile = edit_and_reload
    owed = await trial.run()
    assert (owed.status, owed.code) == ("failed", "superseded")
    assert house.site.devices.keys() == {"em-00"}
    assert [devices for devices, _ in house.ran] == ([40, 1] if is_bad else [40])
    assert house.told == (["trying", "fallback"] if is_bad else ["trying"])
    assert bool(house.refused) is is_bad, "what is wrong with the file is still shown"
    assert trial.after_a_restart().source() == trial.own


async def test_a_disk_that_refuses_to_keep_it_takes_it_back(
    trial: _Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Owed) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trial.files, "keep", refuse)
    owed = await trial.run()
    assert (owed.code, "No space left" in owed.message) == ("rolled_back", True)
    assert trial.house.site.devices.keys() == {"em-00"}
    assert trial.after_a_restart().source() == trial.own


async def test_a_disk_that_refuses_all_leaves_what_ran_before(
    trial: _Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Owed) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(trial.files, "keep", refuse)
    monkeypatch.setattr(trial.files, "take_back", refuse)
    with pytest.raises(OSError, match="Input/output error"):
        await trial.run()
    assert trial.house.site.devices.keys() == {"em-00"}
    after = trial.after_a_restart()
    assert (after.source(), after.book.last) == (trial.own, "rolled_back")
    assert after.book.owed is not None
    assert after.book.owed.code == "interrupted"
