"""Drivers are found by the name of their folder."""

from __future__ import annotations

import pytest

from drivers import registry


def test_every_folder_is_a_driver_under_its_own_name() -> None:
    assert "modbus" in registry.names()
    assert list(registry.names()) == sorted(registry.names())
    for name in registry.names():
        assert registry.load(name).name == name


def test_a_driver_is_loaded_once() -> None:
    assert registry.load("modbus") is registry.load("modbus")


def test_an_unknown_driver_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LookupError, match="modbus"):
        registry.load("modbuss")


def test_a_protocol_finds_its_driver() -> None:
    assert registry.driver_of_protocol("modbus-ascii") is registry.load("modbus")


def test_an_unknown_protocol_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LookupError, match="modbus-rtu"):
        registry.driver_of_protocol("modbus-udp")
