"""What `check` can say of sinks: their dialects and the options of those."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-SINK-01": Wording(
        "there is no dialect '{name}'",
        "{advice}",
        "没有 '{name}' 这种平台协议",
        "{advice}",
    ),
    "LG-SINK-02": Wording(
        "this dialect has no option '{name}'",
        "{advice}",
        "该平台协议没有选项 '{name}'",
        "{advice}",
    ),
    "LG-SINK-03": Wording(
        "the dialect needs the option '{name}'",
        "Give it below `options:` (or `devices:`) of this sink; its page says where the platform "
        "shows it.",
        "该平台协议需要选项 '{name}'",
        "请在此 sink 的 `options:`（或 `devices:`）下填写；说明页写有在平台何处查看。",
    ),
    "LG-SINK-04": Wording(
        "the platform of this dialect confirms no record by itself",
        "Leave `ack` out: what its broker acknowledges is done.",
        "该平台协议的平台不会自行确认记录",
        "请去掉 `ack`：以其代理服务器的确认为准。",
    ),
    "LG-SINK-05": Wording(
        "this platform refuses a keep-alive of {found} s; it takes {limit}",
        "Write `keepalive:` within that range, for example 120s.",
        "该平台不接受 {found} 秒的心跳间隔；可用范围为 {limit}",
        "请在该范围内填写 `keepalive:`，例如 120s。",
    ),
    "LG-SPB-01": Wording(
        "'{name}' cannot be an id of Sparkplug",
        "It stands in topics: use no slash, + or #, and only printable characters.",
        "'{name}' 不能作为 Sparkplug 的标识",
        "它会出现在主题中：不得含有斜杠、+ 或 #，且只能是可打印字符。",
    ),
}
