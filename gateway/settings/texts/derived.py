"""What `check` can say of derived points, of forbidden ones, and of the sealed store."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-DER-01": Wording(
        "`{key}` needs `{other}`",
        "Add it, or leave `{key}` out.",
        "`{key}` 需要同时给出 `{other}`",
        "请补上，或去掉 `{key}`。",
    ),
    "LG-DER-02": Wording(
        "no device that matches '{pattern}' has that point",
        'Write DEVICE/POINT, such as "bay-*/status"; * stands for any characters, and derived '
        "devices must stand before those that use them.",
        "没有设备的点与 '{pattern}' 匹配",
        '请写成“设备/点”，如 "bay-*/status"；* 代表任意字符；被引用的派生设备须写在前面。',
    ),
    "LG-DER-03": Wording(
        "`bin` is made of one point, this names {count}",
        "Name one device, or use sum, mean, min, max or count.",
        "`bin` 只能由一个点得出，此处有 {count} 个",
        "请只写一个设备，或改用 sum、mean、min、max、count。",
    ),
    "LG-DER-04": Wording(
        "{point} is no number",
        "Use `count` with `equals`, or `bin` with `take: last`.",
        "{point} 不是数值",
        "请使用 `count` 加 `equals`，或 `bin` 加 `take: last`。",
    ),
    "LG-DER-05": Wording(
        "the units differ: {units}",
        "Choose inputs of one unit, and the unit that the kind has for this point.",
        "单位不一致：{units}",
        "请选择单位相同、且与该类别此点单位一致的输入。",
    ),
    "LG-DER-06": Wording(
        "a group over personal values ({personal}) that follows each change tells of single "
        "members",
        "Add `every:`, such as 1h: then a value stands for a whole round.",
        "对个人数据（{personal}）的汇总若随每次变化发布，会暴露单个成员",
        "请加上 `every:`，如 1h，使一个值代表一整轮。",
    ),
    "LG-DER-07": Wording(
        "a group over personal values needs at least {least} members",
        "Raise `min_group`; 5 is usual.",
        "对个人数据的汇总至少需要 {least} 个成员",
        "请提高 `min_group`；通常为 5。",
    ),
    "LG-DER-08": Wording(
        "`{op}` over values of class {personal} is the value of one member",
        "Use mean, sum or count.",
        "对 {personal} 类数据取 `{op}` 就是某个成员自己的值",
        "请改用 mean、sum 或 count。",
    ),
    "LG-DER-09": Wording(
        "the group has {count} members and needs {least}: it would never have a value",
        "Widen the pattern, or lower `min_group` where the values are not personal.",
        "该组有 {count} 个成员，却需要 {least} 个：永远不会有值",
        "请放宽匹配模式；若数据不涉及个人，可降低 `min_group`。",
    ),
    "LG-DER-10": Wording(
        "{name} and {other} differ by {count} members: their difference tells of those",
        "Make the groups equal, apart, or different by at least `min_group` members.",
        "{name} 与 {other} 只差 {count} 个成员：两者之差会暴露这些成员",
        "请使两组相同、互不重叠，或至少相差 `min_group` 个成员。",
    ),
    "LG-DER-11": Wording(
        "{name} and {other} differ by {count} members: their difference tells of those",
        "Make sure that those are no homes; else make the groups equal, apart, or more different.",
        "{name} 与 {other} 只差 {count} 个成员：两者之差会暴露这些成员",
        "请确认这些成员不是住户；否则请使两组相同、互不重叠，或差别更大。",
        "warning",
    ),
    "LG-DER-12": Wording(
        "this is called {said}, and is made of one point of class {found}",
        "Keep it only when a coarser value really tells less of the person.",
        "此点标为 {said}，却由一个 {found} 类的点得出",
        "仅当变粗后的值确实更少涉及个人时才保留。",
        "warning",
    ),
    "LG-DER-13": Wording(
        "this is a value of class {found} as it is, only seldomer: it tells as much",
        "Leave `pii` and `level` out, or make the value coarser with `step`, `mean` or a group. To "
        "let it leave changed, use `transforms` of a sink.",
        "此点就是 {found} 类的原值，只是次数较少：暴露的内容相同",
        "请去掉 `pii` 和 `level`，或用 `step`、`mean` 或汇总使数值变粗。"
        "变换后送出请用上行的 `transforms`。",
    ),
    "LG-DENY-01": Wording(
        "'{name}' is {what}: no such data enters the gateway",
        "Take the point out. Events and counts that are made of it in the device itself may stay, "
        "under names that say what they are.",
        "'{name}' 属于{what}：此类数据不得进入网关",
        "请删除该点。设备自身据此得出的事件和计数可以保留，但名称须如实说明。",
    ),
    "LG-STORE-01": Wording(
        "{point} is of class {personal}, whose values are stored only encrypted, and the Python "
        "package `cryptography` is not installed",
        "Install it: pip install 'linli-gateway[crypto]'. Or set `keep: none` for those that are "
        "no counters.",
        "{point} 属于 {personal} 类，其值只能加密存储，但未安装 Python 包 `cryptography`",
        "请安装：pip install 'linli-gateway[crypto]'；或对其中非累计量的点设置 `keep: none`。",
    ),
    "LG-STORE-02": Wording(
        "{name} holds no key of the store",
        "Write 64 hex digits (openssl rand -hex 32); older keys in lines below it.",
        "{name} 中没有存储密钥",
        "请写 64 位十六进制数（openssl rand -hex 32）；旧密钥写在其下各行。",
    ),
    "LG-STORE-03": Wording(
        "`key` needs the Python package `cryptography`, which is not installed",
        "Install it: pip install 'linli-gateway[crypto]'. Or leave `key` out.",
        "`key` 需要 Python 包 `cryptography`，但未安装",
        "请安装：pip install 'linli-gateway[crypto]'；或去掉 `key`。",
    ),
}
