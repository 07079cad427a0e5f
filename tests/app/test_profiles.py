"""Every shipped profile is a test case: its samples give the values that they promise."""

from functools import cache

import pytest

from gateway.app.site.samples import check_samples
from gateway.settings.profiles import CatalogueEntry, load_profile, profile_catalogue


@cache
def _entries() -> tuple[CatalogueEntry, ...]:
    return profile_catalogue(())


@pytest.mark.parametrize("profile", [entry.id for entry in _entries()])
def test_every_point_of_the_profile_is_proved_by_a_sample(profile: str) -> None:
    result = load_profile(profile)
    assert result.profile is not None, [problem.text() for problem in result.problems]
    verdict = check_samples(result.profile)
    assert [fault.text() for fault in verdict.faults] == []
    assert verdict.unproved == frozenset()


def test_there_are_at_least_25_modbus_devices() -> None:
    vendors = [e for e in _entries() if e.driver == "modbus" and not e.id.startswith("generic/")]
    assert len(vendors) >= 25


def test_generic_profiles_carry_no_vendors_name() -> None:
    for entry in _entries():
        if entry.id.startswith("generic/") and entry.vendor is not None:
            assert entry.vendor.lower() in {"generic", "sunspec"} or entry.model is not None
