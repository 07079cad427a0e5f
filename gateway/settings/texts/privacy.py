"""What `check` can say of what may leave the site."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-PRIV-01": Wording(
        "`{key}` means nothing with `by: {by}`",
        "Leave it out: `first` and `last` belong to mask, `level` to hash and mask.",
        "`by: {by}` 时 `{key}` 没有意义",
        "请删去：`first`、`last` 只用于 mask，`level` 只用于 hash 和 mask。",
    ),
    "LG-PRIV-02": Wording(
        "`cipher` and `key` belong together",
        "Give both: `cipher: sm4-gcm` and `key: {{credential: name}}`.",
        "`cipher` 与 `key` 必须同时给出",
        "请两项都写：`cipher: sm4-gcm` 和 `key: {{credential: 名称}}`。",
    ),
    "LG-PRIV-03": Wording(
        "this line names no point of the site",
        "Correct device, kind or points, or delete the line. Personal points (P2, P3) must be "
        "named: a lone * does not count. `linli privacy report` lists all points.",
        "该行没有匹配到本站点的任何点位",
        "请更正 device、kind 或 points，或删除该行。个人信息点位（P2、P3）必须写出名称，单独的 * "
        "不算。`linli privacy report` 可列出全部点位。",
        "warning",
    ),
    "LG-PRIV-04": Wording(
        "a hash hides nothing of {point}: it has a few values only",
        "Use `by: drop`, or let it leave as it is.",
        "{point} 只有少数几个取值，散列起不到隐藏作用",
        "请改用 `by: drop`，或按原值发送。",
    ),
    "LG-PRIV-05": Wording(
        "{point} is personal and cannot become public (L1) by a hash or a mask",
        "Say L2 or higher: a pseudonym is personal data still (PIPL art. 73). For public data use "
        "a derived point that counts or sums.",
        "{point} 属于个人信息，经散列或掩码后仍不能公开（L1）",
        "请写 L2 或更高：去标识化的数据仍是个人信息（个人信息保护法第七十三条）。公开数据请使用"
        "计数或汇总的派生点位。",
    ),
    "LG-PRIV-06": Wording(
        "payloads of dialect '{name}' cannot be sealed",
        "`payload:` works with `dialect: native` only; other platforms read nothing but their own "
        "form. Use TLS, or a sidecar for TLCP.",
        "平台协议 '{name}' 的载荷不能加密或签名",
        "`payload:` 只用于 `dialect: native`；其他平台只认自己的格式。请用 TLS，或用 TLCP 代理。",
    ),
    "LG-PRIV-07": Wording(
        "this machine has no SM3",
        "Install an OpenSSL with SM3 (1.1.1 or later, built with it), or use hmac-sha256.",
        "本机没有 SM3 算法",
        "请安装带 SM3 的 OpenSSL（1.1.1 及以上），或改用 hmac-sha256。",
    ),
    "LG-PRIV-10": Wording(
        "nothing on this machine can encrypt with SM4",
        "Install the extra: `pip install linli-gateway[crypto]`.",
        "本机没有可用的 SM4 加密库",
        "请安装附加组件：`pip install linli-gateway[crypto]`。",
    ),
    "LG-PRIV-09": Wording(
        "the secret '{name}' is no key of {digits} hex digits",
        "Write the key as {digits} hex digits on one line.",
        "密钥 '{name}' 不是 {digits} 位十六进制数",
        "请将密钥写成一行 {digits} 位十六进制数。",
    ),
    "LG-PRIV-08": Wording(
        "sm4-cbc does not show whether a payload was altered",
        "Use `cipher: sm4-gcm`, or sign as well with `sign_key`.",
        "sm4-cbc 无法发现载荷被篡改",
        "请改用 `cipher: sm4-gcm`，或同时用 `sign_key` 签名。",
        "warning",
    ),
}
