"""What the family has no word for, and what is sent where, for people."""

from __future__ import annotations

from gateway.dialects.contract import OLD_STATES, Sent

LOSSES = (
    "Units, resolution and titles are in the thing model, not in messages.",
    "Why a value is not good (`qr`) is told with `quality: event` only; else it is left out.",
    "Simulated values are not marked, but with `quality: event`.",
    "`tq` (how far the clock can be believed) and `pv` (the record before) are lost.",
    "A batch names the identity of its first and last record only; `ids: number` (OneNET) none.",
    "Severity becomes info, alert or error; the number is the output `sev` of the event.",
    "Audit entries (`log`) are not sent.",
    "One property or service a request; a request for several properties is refused.",
    "yudao, XunJi: values have no time, so values older than 30 s are not sent.",
    "SagooIoT: there is no history; old values come like live ones, with their time.",
    "yudao, SagooIoT, XunJi: nobody logs in; online and offline are an event of the device.",
    "EnOS: records that are refused in part are refused as a whole message, then one by one.",
    OLD_STATES,
)

SENT = (
    Sent(
        "values and events of sub-devices",
        "/sys/{product}/{gateway}/thing/event/property/pack/post",
        "OneNET (`$sys`): `thing/pack/post`; EnOS: `thing/measurepoint/post/batch`",
    ),
    Sent(
        "values of the gateway",
        "/sys/{product}/{gateway}/thing/event/property/post",
        "yudao, OneNET: `thing/property/post`",
    ),
    Sent(
        "values older than 30 s",
        "/sys/{product}/{gateway}/thing/event/property/history/post",
        "OneNET: `thing/history/post`; EnOS: `thing/measurepoint/resume/batch`",
    ),
    Sent(
        "events of the gateway, gaps",
        "/sys/{product}/{gateway}/thing/event/{type}/post",
        "yudao, OneNET: `thing/event/post`",
    ),
    Sent(
        "login and logout of sub-devices",
        "/ext/session/{product}/{gateway}/combine/{what}",
        "EnOS: `combine/login/batch`; OneNET: `thing/sub/login`, `thing/sub/logout`",
    ),
    Sent(
        "reply to a service",
        "/sys/{product}/{device}/thing/service/{service}_reply",
        "OneNET: `thing/sub/service/invoke_reply`",
    ),
    Sent(
        "reply to properties that are set",
        "/sys/{product}/{device}/thing/service/property/set_reply",
        "yudao: `thing/property/set_reply`; EnOS: `thing/service/measurepoint/set_reply`; "
        "OneNET: `thing/sub/property/set_reply`",
    ),
    Sent(
        "reply to properties that are read",
        "/sys/{product}/{device}/thing/service/property/get_reply",
        "aliyun; OneNET: `thing/sub/property/get_reply`",
    ),
    Sent("reply to a synchronous call", "/sys/{product}/{device}/rrpc/response/{id}", "aliyun"),
    Sent(
        "binding of sub-devices",
        "/sys/{product}/{gateway}/thing/topo/add",
        "with `topology: true`; OneNET: `thing/sub/topo/add`",
    ),
    Sent("reply to a notice", "/sys/{product}/{gateway}/thing/topo/change_reply", "aliyun"),
    Sent("question for the time", "/ext/ntp/{product}/{gateway}/request", "aliyun"),
)
