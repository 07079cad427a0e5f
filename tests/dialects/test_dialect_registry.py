"""Dialects are found by the name of their file."""

from pathlib import Path

import pytest

from gateway.dialects import registry
from gateway.dialects.contract import OLD_STATES, DialectSpec
from tests.support.natives import setup

GOLDEN = Path(__file__).parent


def test_a_module_with_a_dialect_is_found_and_its_neighbours_are_not() -> None:
    assert "native" in registry.names()
    assert not {"contract", "registry", "births", "json_text"} & set(registry.names())


def test_every_dialect_has_golden_files_of_its_name() -> None:
    for name in registry.names():
        assert list((GOLDEN / name).glob("*.json")), name


def test_a_dialect_is_made_from_its_setup() -> None:
    spec = registry.load("native")
    assert isinstance(spec, DialectSpec)
    assert spec.make(setup()) is not None


@pytest.mark.parametrize("name", ["nowhere", "contract", "registry", "", "../native"])
def test_an_unknown_name_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(LookupError, match=r"there are: .*native"):
        registry.load(name)


@pytest.mark.parametrize("name", registry.names())
def test_who_hears_no_old_states_says_so(name: str) -> None:
    spec = registry.load(name)
    assert spec.says_old_states is (OLD_STATES not in spec.losses)
