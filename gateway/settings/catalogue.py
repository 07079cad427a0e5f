"""Profiles and kinds by name: the folders are searched, the first that has a name wins."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers import registry
from drivers.contract import DriverSpec, Speaker
from gateway.model.reading import Value
from gateway.settings.checking import Spot, add_bad_value, check
from gateway.settings.migrate import migrate
from gateway.settings.models.common import PollEntry
from gateway.settings.models.kind import KindFile, KindPointEntry
from gateway.settings.models.profile import ProfileFile, SampleEntry
from gateway.settings.problems import BadValue, Problems, advice
from gateway.settings.templates import fill
from gateway.settings.where import Where
from gateway.settings.yaml_source import MOST_BYTES, Node, read_document

PROFILE_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}(?:/[a-z0-9][a-z0-9_.-]{0,63}){0,3}")
KIND_ID = re.compile(r"[a-z][a-z0-9_]{0,31}(?:\.[a-z0-9_]{1,32}){0,3}")


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of device, its numbered points counted out."""

    id: str
    entry: KindFile
    points: Mapping[str, KindPointEntry]
    path: Path
    spot: Spot

    @property
    def groups(self) -> Mapping[str, PollEntry]:
        """Poll periods by group."""
        return self.entry.groups

    @property
    def commands(self) -> frozenset[str]:
        """Ids of the points that are commands, numbered ones counted out."""
        entries = [self.entry.points.get(template) for template in self.entry.commands]
        return frozenset(
            name for name, point in self.points.items() if any(point is one for one in entries)
        )


@dataclass(frozen=True, slots=True)
class SampleValue:
    """What a point of a sample must give: a value, or bad quality with a reason."""

    value: Value | None
    unit: str | None = None
    bad: str | None = None


@dataclass(frozen=True, slots=True)
class ProfileSample:
    """Bytes of a reply, and the values that must come of them."""

    basis: str
    source: str
    variables: Mapping[str, int]
    variant: str | None
    request: bytes
    reply: bytes
    values: Mapping[str, SampleValue]
    where: Where


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A profile with its kind and driver; `spot` is its file, for messages."""

    id: str
    path: Path
    entry: ProfileFile
    kind: Kind
    driver: DriverSpec
    spot: Spot

    @property
    def protocol(self) -> str:
        """The protocol that its samples are in."""
        return self.entry.protocol or self.driver.serial_protocol

    @property
    def speaker(self) -> Speaker:
        """What takes its samples apart."""
        return self.driver.speakers[self.protocol]

    @property
    def samples(self) -> tuple[ProfileSample, ...]:
        """The samples, in the order of the file."""
        entries = enumerate(self.entry.samples)
        return tuple(_sample(entry, self.spot.at("samples", i)) for i, entry in entries)


def shipped_config() -> Path:
    """Return the folder of shipped data: `config/` of a checkout, or of the installed package."""
    here = Path(__file__).resolve()
    checkout = here.parents[2] / "config"
    return checkout if (checkout / "profiles").is_dir() else here.parents[1] / "config"


def search_path(profile_dirs: Sequence[Path] | None = None) -> tuple[Path, ...]:
    """Return the folders of profiles, in the order in which they are asked."""
    configured = os.environ.get("CONFIGURATION_DIRECTORY") or "/etc/linli"
    own = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - Path.expanduser raises where there is no home
    return (
        *(profile_dirs or ()),
        *(Path(folder) / "profiles" for folder in configured.split(":")),
        Path(own) / "linli" / "profiles",
        shipped_config() / "profiles",
    )


class Catalogue:
    """What one load found; kept only as long as the load, so that no trees stay in memory."""

    def __init__(self, profile_dirs: Sequence[Path] | None, problems: Problems) -> None:
        self._folders = search_path(profile_dirs)
        self._problems = problems
        self._profiles: dict[str, Profile | None] = {}
        self._kinds: dict[str, Kind | None] = {}
        self.files: dict[Path, bytes] = {}
        """Every file that was read, for the digest of the site."""

    def profile_ids(self) -> Iterator[str]:
        """Yield the ids of all profiles, first those of the folders asked first."""
        seen: set[str] = set()
        for folder in self._folders:
            for path in sorted(folder.rglob("*.yaml")):
                name = path.relative_to(folder).with_suffix("").as_posix()
                if name not in seen:
                    seen.add(name)
                    yield name

    def find(self, name: str, beside: Path) -> Path | None:
        """Return the file of a profile: by id, or as a path relative to `beside`."""
        if name.endswith(".yaml"):
            return path if (path := beside / name).is_file() else None
        if not PROFILE_ID.fullmatch(name) or ".." in name:
            return None
        candidates = (folder / f"{name}.yaml" for folder in self._folders)
        return next((path for path in candidates if path.is_file()), None)

    def profile(self, path: Path) -> Profile | None:
        """Return the profile of a file; what is wrong with it is reported once."""
        key = str(path)
        if key not in self._profiles:
            self._profiles[key] = self._load_profile(path)
        return self._profiles[key]

    def kind(self, name: str) -> Kind | None:
        """Return the kind of that name; None when there is none, or it is wrong."""
        if name not in self._kinds:
            self._kinds[name] = self._load_kind(name)
        return self._kinds[name]

    def kind_ids(self) -> set[str]:
        """Return the ids of all kinds."""
        return {
            path.stem
            for folder in self._folders
            for path in (folder.parent / "kinds").glob("*.yaml")
        }

    def tree(self, path: Path) -> Spot | None:
        """Return the tree of a file in today's format, or None with the reason reported."""
        try:
            with path.open("rb") as file:
                octets = file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as exc:
            why = getattr(exc, "strerror", None) or str(exc)
            self._problems.add("LG-YAML-24", Where(str(path), 1, 1), why=why)
            return None
        self.files[path] = octets
        document = read_document(str(path), octets, self._problems)
        return migrate(Spot(str(path), document.root), self._problems) if document.root else None

    # --- profiles ----------------------------------------------------------------------------

    def _load_profile(self, path: Path) -> Profile | None:
        spot = self.tree(path)
        entry = check(ProfileFile, spot, self._problems) if spot else None
        if spot is None or entry is None:
            return None
        self._check_place(path, spot, entry.profile)
        kind = self._kind_of(entry, spot)
        driver = self._driver_of(entry, spot)
        if kind is None or driver is None or not self._speaks(driver, entry, spot):
            return None
        return Profile(entry.profile, path, entry, kind, driver, spot)

    def _check_place(self, path: Path, spot: Spot, name: str) -> None:
        place = spot.at("profile")
        if not PROFILE_ID.fullmatch(name):
            self._problems.add("LG-PROF-16", place.where, place.text, name=name)
        for folder in self._folders:
            if path.is_relative_to(folder):
                expected = path.relative_to(folder).with_suffix("").as_posix()
                if expected != name:
                    facts = {"found": name, "expected": expected, "key": "profile"}
                    self._problems.add("LG-PROF-03", place.where, place.text, **facts)
                return

    def _kind_of(self, entry: ProfileFile, spot: Spot) -> Kind | None:
        if self._kind_path(entry.kind) is None:
            place, hint = spot.at("kind"), advice(entry.kind, self.kind_ids())
            self._problems.add("LG-PROF-01", place.where, place.text, name=entry.kind, advice=hint)
            return None
        return self.kind(entry.kind)

    def _speaks(self, driver: DriverSpec, entry: ProfileFile, spot: Spot) -> bool:
        if entry.protocol is None or entry.protocol in driver.speakers:
            return True
        place, hint = spot.at("protocol"), advice(entry.protocol, driver.speakers)
        facts = {"driver": driver.name, "protocol": entry.protocol, "advice": hint}
        self._problems.add("LG-PROF-17", place.where, place.text, **facts)
        return False

    def _driver_of(self, entry: ProfileFile, spot: Spot) -> DriverSpec | None:
        try:
            return registry.load(entry.driver)
        except LookupError:
            place, hint = spot.at("driver"), advice(entry.driver, registry.names())
            self._problems.add(
                "LG-PROF-02", place.where, place.text, name=entry.driver, advice=hint
            )
            return None

    # --- kinds -------------------------------------------------------------------------------

    def _kind_path(self, name: str) -> Path | None:
        if not KIND_ID.fullmatch(name):
            return None
        candidates = (folder.parent / "kinds" / f"{name}.yaml" for folder in self._folders)
        return next((path for path in candidates if path.is_file()), None)

    def _load_kind(self, name: str) -> Kind | None:
        path = self._kind_path(name)
        spot = self.tree(path) if path else None
        entry = check(KindFile, spot, self._problems) if spot else None
        if path is None or spot is None or entry is None:
            return None
        if entry.kind != path.stem:
            place = spot.at("kind")
            facts = {"found": entry.kind, "expected": path.stem, "key": "kind"}
            self._problems.add("LG-PROF-03", place.where, place.text, **facts)
        points = self._kind_points(entry, spot)
        for index, point in enumerate(entry.expects):
            if point not in points:
                place, hint = spot.at("expects", index), advice(point, points)
                self._problems.add("LG-KIND-01", place.where, place.text, name=point, advice=hint)
        return Kind(path.stem, entry, points, path, spot)

    def _kind_points(self, entry: KindFile, spot: Spot) -> Mapping[str, KindPointEntry]:
        points: dict[str, KindPointEntry] = {}
        for template, point in entry.points.items():
            place = key_spot(spot.at("points"), template)
            try:
                for name in numbered(template, point.each):
                    check_point_id(name)
                    if name in points:
                        self._problems.add("LG-PROF-06", place.where, place.text, name=name)
                    points[name] = point
            except BadValue as bad:
                add_bad_value(self._problems, bad, place)
        return points


def key_spot(parent: Spot, key: str) -> Spot:
    """Return the spot of a key, for what is wrong with the key itself."""
    where = parent.at_key(key)
    return Spot(parent.file, Node(key, where.line, where.column), (*parent.path, key))


def numbered(template: str, each: tuple[int, ...] | None) -> list[str]:
    """Return the ids that a numbered point makes; the id itself when it is not numbered.

    Raises:
        BadValue: `{n}` and `each` do not go together.
    """
    if each is None:
        return [fill(template, {})]
    if "{n" not in template:
        raise BadValue("LG-PROF-13")
    return [fill(template, {"n": n}) for n in each]


def check_point_id(name: str) -> None:
    """Raise BadValue when the text cannot be the id of a point."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", name):
        raise BadValue("LG-VAL-06", found=f"'{name[:40]}'")


def _sample(entry: SampleEntry, spot: Spot) -> ProfileSample:
    return ProfileSample(
        entry.basis,
        entry.source,
        {name: int(text) for name, text in entry.variables.items() if text.isdecimal()},
        entry.variant,
        entry.request,
        entry.reply,
        {name: SampleValue(v.value, v.unit, v.bad) for name, v in entry.values.items()},
        spot.where,
    )
