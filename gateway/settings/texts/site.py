"""Texts about the site: gateway, sinks, buses, devices."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-SITE-01": Wording(
        "no file has a `{key}:` section",
        "Add it: gateway: {{id: gw-01, site: my-site}}.",
        "没有任何文件含有 `{key}:` 一节",
        "请添加：gateway: {{id: gw-01, site: my-site}}。",
    ),
    "LG-SITE-02": Wording(
        "`{key}` stands in two files, the other is {other}",
        "Keep it in one of them.",
        "`{key}` 出现在两个文件中，另一个是 {other}",
        "请只保留在一个文件中。",
    ),
    "LG-SITE-03": Wording(
        "{found} is not a time zone",
        "Write a name such as Asia/Shanghai.",
        "{found} 不是时区",
        "请写 Asia/Shanghai 之类的名称。",
    ),
    "LG-SITE-04": Wording(
        "{found} is not the address of a broker",
        "Write it as mqtt://host:1883 or mqtts://host:8883.",
        "{found} 不是消息服务器地址",
        "请写成 mqtt://主机:1883 或 mqtts://主机:8883。",
    ),
    "LG-SITE-05": Wording(
        "no device matches '{pattern}'",
        "Correct the pattern; * stands for any characters.",
        "没有设备与 '{pattern}' 匹配",
        "请改正该模式；* 代表任意字符。",
        "warning",
    ),
    "LG-SITE-06": Wording(
        "no sink is called '{name}'", "{advice}", "没有名为 '{name}' 的上行目标", "{advice}"
    ),
    "LG-SITE-07": Wording(
        "TLS settings are given, but the address begins with mqtt://",
        "Write mqtts:// in `url:`, or remove `tls:`.",
        "给出了 TLS 设置，但地址以 mqtt:// 开头",
        "请在 `url:` 中写 mqtts://，或删除 `tls:`。",
    ),
    "LG-SITE-08": Wording(
        "the broker {found} stands in the list twice",
        "Keep it once; the first of the list is the preferred one.",
        "列表中两次出现消息服务器 {found}",
        "请只保留一个；列表中的第一个优先使用。",
    ),
    "LG-BUS-01": Wording(
        "a bus needs exactly one of {keys}, found {found}",
        "Keep the one that the wire is.",
        "总线必须恰好有 {keys} 之一，实际为 {found}",
        "请只保留实际接线的那一个。",
    ),
    "LG-BUS-02": Wording(
        "{found} is not a serial setting",
        "Write it as on the label: 9600 8N1.",
        "{found} 不是串口参数",
        "请按标签书写：9600 8N1。",
    ),
    "LG-BUS-03": Wording(
        "baud {found} is not a usual rate",
        "Did you mean {nearest}?",
        "波特率 {found} 不常用",
        "是否应为 {nearest}？",
        "warning",
    ),
    "LG-BUS-04": Wording(
        "no driver speaks '{found}'", "{advice}", "没有驱动支持 '{found}'", "{advice}"
    ),
    "LG-BUS-05": Wording(
        "{found} requests in flight are not possible here",
        "Write in_flight: 1; more needs a protocol with reply identifiers, such as modbus-tcp.",
        "此处不能同时有 {found} 个请求",
        "请写 in_flight: 1；更多需要带应答标识的协议，如 modbus-tcp。",
    ),
    "LG-BUS-06": Wording(
        "two speakers on one line: {port} belongs to bus '{other}' too (line {line})",
        "Put all devices of this line under one bus.",
        "一条线上有两个主站：{port} 也属于总线 '{other}'（第 {line} 行）",
        "请把该线路的所有设备放在同一条总线下。",
    ),
    "LG-BUS-07": Wording(
        "{port} may name another adapter after the next start",
        "Use the link below /dev/serial/by-path, such as by-path/usb-1.2.",
        "{port} 下次启动后可能指向另一个适配器",
        "请使用 /dev/serial/by-path 下的链接，如 by-path/usb-1.2。",
        "warning",
    ),
    "LG-BUS-08": Wording(
        "{count} devices on one RS-485 line; it drives 32 unit loads",
        "Check the unit load of the transceivers, or add a repeater.",
        "一条 RS-485 线上有 {count} 台设备；标准负载为 32",
        "请核对收发器的单位负载，或加中继器。",
        "warning",
    ),
    "LG-BUS-09": Wording(
        "the line is {line}, but {profile} says {setting}",
        "Check the device's menu or label, then set `line:` of the bus.",
        "线路为 {line}，但 {profile} 写的是 {setting}",
        "请核对设备菜单或标签，再设置总线的 `line:`。",
        "warning",
    ),
    "LG-BUS-10": Wording(
        "{found} is not an address on the network",
        "Write it as host:port, such as 192.168.30.20:502.",
        "{found} 不是网络地址",
        "请写成 主机:端口，如 192.168.30.20:502。",
    ),
    "LG-BUS-11": Wording(
        "bus '{other}' (line {line}) listens there for the same registration",
        "Give each bus its own port or its own `registration:`.",
        "总线 '{other}'（第 {line} 行）在同处等待相同的注册包",
        "请为每条总线设置不同的端口或 `registration:`。",
    ),
    "LG-BUS-12": Wording(
        "`{key}:` is for serial ports only",
        "Remove it here.",
        "`{key}:` 只用于串口",
        "请删除它。",
    ),
    "LG-BUS-13": Wording(
        "{protocol} asks its devices, so nobody calls by datagram here",
        "Remove `transport: udp`, or use `udp: host:port` for a device that we ask.",
        "{protocol} 由网关主动询问设备，不接受数据报呼入",
        "请删除 `transport: udp`；若由网关询问设备，请用 `udp: host:port`。",
    ),
    "LG-BUS-14": Wording(
        "{protocol} keeps its line to itself, and '{device}' does not speak it",
        "Put the device on a bus of its own.",
        "{protocol} 独占线路，而设备 '{device}' 不使用该协议",
        "请把该设备放到另一条总线。",
    ),
    "LG-BUS-15": Wording(
        "'{device}' speaks {protocol}, which needs its line to itself",
        "Write `protocol: {protocol}` at the bus {bus}, or put the device on a bus of its own.",
        "'{device}' 使用 {protocol}，该协议须独占线路",
        "请在总线 {bus} 上写 `protocol: {protocol}`，或把该设备放到单独的总线。",
    ),
    "LG-DEV-01": Wording(
        "the id '{id}' is taken by {file}:{line}",
        "Give each device its own id.",
        "标识 '{id}' 已用于 {file}:{line}",
        "请为每台设备设置不同的标识。",
    ),
    "LG-DEV-02": Wording(
        "address {address} on bus '{bus}' is taken by '{other}' in line {line}",
        "Correct one address, or tell the two apart by `set:`.",
        "总线 '{bus}' 上的地址 {address} 已用于第 {line} 行的 '{other}'",
        "请改正其中一个地址，或用 `set:` 区分两者。",
    ),
    "LG-DEV-03": Wording(
        "no bus is called '{name}'", "{advice}", "没有名为 '{name}' 的总线", "{advice}"
    ),
    "LG-DEV-04": Wording(
        "no profile is called '{name}'", "{advice}", "没有名为 '{name}' 的设备模板", "{advice}"
    ),
    "LG-DEV-05": Wording(
        "the address {address} is wrong: {what}",
        "Write the address that is set on the device.",
        "地址 {address} 有误：{what}",
        "请写设备上设置的地址。",
    ),
    "LG-DEV-06": Wording(
        "the profile has no group '{name}'", "{advice}", "设备模板没有组 '{name}'", "{advice}"
    ),
    "LG-DEV-07": Wording(
        "the profile has no point '{name}'", "{advice}", "设备模板没有点 '{name}'", "{advice}"
    ),
    "LG-DEV-08": Wording(
        "the profile has no variable '{name}'", "{advice}", "设备模板没有变量 '{name}'", "{advice}"
    ),
    "LG-DEV-09": Wording(
        "the variable '{name}' is {found}, allowed is {limit}",
        "Write a value within the range.",
        "变量 '{name}' 为 {found}，允许 {limit}",
        "请写范围内的值。",
    ),
    "LG-DEV-10": Wording(
        "the variable '{name}' has no value",
        "Write it: set: {{{name}: 1}}.",
        "变量 '{name}' 没有值",
        "请写：set: {{{name}: 1}}。",
    ),
    "LG-DEV-11": Wording(
        "the profile has no variant '{name}'", "{advice}", "设备模板没有变体 '{name}'", "{advice}"
    ),
    "LG-DEV-12": Wording(
        "`except` names '{name}', which `each` does not make",
        "Write a value of `each`, or the id of a device.",
        "`except` 中的 '{name}' 不在 `each` 范围内",
        "请写 `each` 的值或设备标识。",
    ),
    "LG-DEV-13": Wording(
        "`{key}` cannot stand beside `{other}`",
        "Keep one of them.",
        "`{key}` 不能与 `{other}` 同时使用",
        "请只保留一个。",
    ),
    "LG-DEV-14": Wording(
        "more than {limit} devices",
        "Use more than one gateway, or correct `each:`.",
        "设备超过 {limit} 台",
        "请使用多台网关，或改正 `each:`。",
    ),
    "LG-DEV-15": Wording(
        "{profile} does not speak '{protocol}'",
        "{advice}",
        "{profile} 不支持 '{protocol}'",
        "{advice}",
    ),
    "LG-DEV-16": Wording(
        "the profile {profile} is not verified: {what}",
        "Compare the values with the device's display.",
        "设备模板 {profile} 未经验证：{what}",
        "请把数值与设备显示核对。",
        "warning",
    ),
    "LG-PLAN-01": Wording(
        "the period cannot be met: {what}",
        "{remedy}",
        "无法满足轮询周期：{what}",
        "{remedy}",
        "warning",
    ),
    "LG-PLAN-02": Wording(
        "a device of this line cannot be read: {what}",
        "Correct the point in its profile, or the device's quirks.",
        "这条线路上有设备无法读取：{what}",
        "请改正设备模板中的点，或该设备的 quirks。",
    ),
}
