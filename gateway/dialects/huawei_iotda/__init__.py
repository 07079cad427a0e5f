"""Huawei IoTDA: `$oc/devices/{gateway}/sys/…`, JSON; this gateway is a device with sub-devices.

Sources: the pages of support.huaweicloud.com/api-iothub that are named where they count, and
github.com/huaweicloud/huaweicloud-iot-device-sdk-python. Nothing of it was tried against the
platform itself. The platform confirms no report: what its broker has acknowledged is done.
"""

from __future__ import annotations

from gateway.dialects.huawei_iotda.dialect import DIALECT

__all__ = ["DIALECT"]
