"""A minute of fuzzing over all codecs; `make fuzz` fires ten million inputs at each."""

from __future__ import annotations

import pytest

from drivers import registry
from tests.drivers.fuzz import SLOW_S, campaign

PROTOCOLS = [p for name in registry.names() for p in registry.load(name).speakers]
SMOKE_S = 60.0


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_input_brings_anything_but_the_drivers_own_error(protocol: str) -> None:
    done = campaign(protocol, inputs=1 << 62, seconds=SMOKE_S / len(PROTOCOLS), seed=7)
    assert done.inputs > done.accepted > 0
    assert done.slowest_s < SLOW_S
