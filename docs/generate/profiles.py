"""docs/reference/profiles.md: the shipped profiles, and what each rests on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from docs.generate.markdown import code, page, table
from gateway.settings.catalogue import Profile, shipped_config
from gateway.settings.profiles import load_profile, resolve_points

_BASES = ("capture", "document", "computed")
_ABOUT = """\
Every shipped profile. *Verified* means that its facts were seen on a device or in its maker's
document; what is not verified is said below, and `linli check` warns of it. A sample is a reply
frame with the values that must come of it: a `capture` is from a device, a `document` from what is
published, `computed` ones only prove that the profile does what its map says. Points are counted
with the variables at their defaults. How to write a profile: [profiles.md](../profiles.md)."""


def profiles_page() -> str:
    """Return the page."""
    folder = shipped_config() / "profiles"
    found = (_loaded(folder, path) for path in folder.rglob("*.yaml"))
    profiles = sorted(found, key=lambda profile: profile.id)
    head = ("profile", "vendor", "model", "what it is", "kind", "driver", "points", "verified",
            *_BASES)  # fmt: skip
    catalogue = table(head, (_row(profile) for profile in profiles))
    captured = sum(_samples(profile)["capture"] > 0 for profile in profiles)
    verified = sum(profile.entry.verified for profile in profiles)
    summary = f"{len(profiles)} profiles, {verified} verified, {captured} with captured frames."
    return page(
        "Shipped profiles",
        _ABOUT,
        summary,
        catalogue,
        "## What is not verified",
        table(("profile", "nobody has seen"), _doubts(profiles)),
        "## Variables and variants",
        table(
            ("profile", "variables (`set:`)", "variants (`variant:`)"),
            (
                (
                    code(profile.id),
                    _variables(profile),
                    ", ".join(map(code, profile.entry.variants)),
                )
                for profile in profiles
                if profile.entry.variables or profile.entry.variants
            ),
        ),
    )


def _loaded(folder: Path, path: Path) -> Profile:
    name = path.relative_to(folder).with_suffix("").as_posix()
    result = load_profile(path)
    if result.profile is None:
        raise SystemExit("\n".join(problem.text() for problem in result.problems))
    if result.profile.id != name:
        raise SystemExit(f"{path}: calls itself {result.profile.id}")
    return result.profile


def _row(profile: Profile) -> tuple[object, ...]:
    entry, samples = profile.entry, _samples(profile)
    counts = [samples[basis] or "" for basis in _BASES]
    points = sum(point.is_published for point in resolve_points(profile, _usual(profile)))
    verified = "yes" if entry.verified else "no"
    title = entry.title.get("en", "")
    kind = code(entry.kind)
    return (
        code(profile.id), entry.vendor, entry.model, title, kind, entry.driver, points, verified,
        *counts,
    )  # fmt: skip


def _samples(profile: Profile) -> Counter[str]:
    return Counter(sample.basis for sample in profile.samples)


def _usual(profile: Profile) -> dict[str, int]:
    """Return values for the variables that have no default, so that points can be counted."""
    variables = profile.entry.variables.items()
    return {name: min(v.range) for name, v in variables if v.default is None}


def _doubts(profiles: list[Profile]) -> list[tuple[str, str]]:
    unverified = (profile for profile in profiles if not profile.entry.verified)
    return [(code(profile.id), str(profile.entry.unverified)) for profile in unverified]


def _variables(profile: Profile) -> str:
    said: list[str] = []
    for name, variable in profile.entry.variables.items():
        default = "" if variable.default is None else f", default {variable.default}"
        ends = f"{min(variable.range)} to {max(variable.range)}"
        said.append(f"`{name}`: {variable.title.get('en', '')} ({ends}{default})")
    return "; ".join(said)
