"""Alibaba Cloud IoT Platform, the origin of the family (its documents call it deprecated)."""

from gateway.dialects.alink.profile import AlinkProfile

PROFILE = AlinkProfile(
    title="Alibaba Cloud IoT Platform",
    sources=(
        "domain.md S1-S5",
        "help.aliyun.com/en/iot/user-guide/connect-or-disconnect-sub-devices",
        "help.aliyun.com/zh/iot/user-guide/device-properties-events-and-services",
        "help.aliyun.com/document_detail/102509.html (time)",
        "thinkgos/aliyun-iot: uri, infra/method, infra/code",
    ),
    bools_are_numbers=True,  # its model gives a bool the keys 0 and 1 (domain.md S5)
    has_ext=True,
    uses_wildcard=False,  # not seen whether it takes `+`; it names no such subscription
)
