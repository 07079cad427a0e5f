"""How a dialect connects, asked at every attempt: what it cannot do now is told as an outage."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.app.outward.around import Around
from gateway.app.sinks.platforms import connect_spec
from gateway.dialects.contract import Now
from gateway.dialects.huawei_iotda.dialect import HuaweiIotda
from gateway.model.clock import TimeQuality
from gateway.settings.secrets import read_secret
from gateway.settings.site_sinks import Secret
from gateway.uplink.errors import UplinkDown
from tests.support.named_platforms import setup_of
from tests.support.natives import NOW


def _around(now: Now) -> Around:
    """Return the one thing of it that counts here."""
    return cast("Around", SimpleNamespace(now=lambda: now))


def _huawei(**options: Any) -> HuaweiIotda:
    secret = Secret("file", "/nowhere/secret")
    made = setup_of({"device_id": "gw001", "secret": secret, **options}, {})
    return HuaweiIotda(replace(made, secret=read_secret))


def test_a_secret_that_has_gone_is_an_outage_that_no_retry_mends() -> None:
    with pytest.raises(UplinkDown, match=r"/nowhere/secret") as down:
        connect_spec(_huawei(), _around(NOW))
    assert down.value.is_final


def test_a_time_that_is_not_known_is_an_outage_that_ends() -> None:
    unsync = Now(5, TimeQuality.UNSYNC)
    with pytest.raises(UplinkDown, match="synchronised clock") as down:
        connect_spec(_huawei(check_timestamp=True), _around(unsync))
    assert not down.value.is_final
