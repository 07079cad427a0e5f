"""Alibaba Cloud IoT Platform, the origin of the family (its documents call it deprecated)."""

from gateway.dialects.alink.profile import AlinkProfile

PROFILE = AlinkProfile(
    title="Alibaba Cloud IoT Platform",
    sources=(
        "domain.md S1-S5",
        "help.aliyun.com/en/iot/user-guide/connect-or-disconnect-sub-devices",
        "help.aliyun.com/zh/iot/user-guide/device-properties-events-and-services",
        "help.aliyun.com/document_detail/102509.html (time)",
        "…/manage-topological-relationships, …/enable-disable-or-delete-a-sub-device",
        "…/automatic-topic-subscription",
        "thinkgos/aliyun-iot: uri, infra/method, infra/code",
    ),
    bools_are_numbers=True,  # its model gives a bool the keys 0 and 1 (domain.md S5)
    has_short_ids=True,  # …/device-properties-events-and-services: ids of 0 to 4294967295
    has_ext=True,
    vendor_hosts=".aliyuncs.com",  # not seen whether it takes `+` for product and device
    keepalive_s=(30, 1200),  # others are refused
)
