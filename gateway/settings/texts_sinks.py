"""What `check` can say of sinks: their dialects and the options of those."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

SINK_TEXTS: Mapping[str, Wording] = {
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
}
