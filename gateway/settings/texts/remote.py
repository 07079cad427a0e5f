"""What `check` can say of `remote:`, and what is answered to a configuration that goes too far."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-REM-01": Wording(
        "`public_key` is no Ed25519 public key",
        "Write its 32 bytes as 64 hex digits; docs/platform/remote.md shows how to make a pair.",
        "`public_key` 不是 Ed25519 公钥",
        "请将其 32 字节写成 64 位十六进制；生成方法见 docs/zh/platform/remote.md。",
    ),
    "LG-REM-02": Wording(
        "`public_key` needs the Python package cryptography, which is not installed",
        "Install linli-gateway[crypto], or use `secret:` (HMAC-SHA256).",
        "`public_key` 需要 Python 软件包 cryptography，但未安装",
        "请安装 linli-gateway[crypto]，或改用 `secret:`（HMAC-SHA256）。",
    ),
    "LG-REM-03": Wording(
        "a remote configuration may not change `{name}`",
        "Change it at the site, or let it be changed from afar there: `remote: {{may: [{name}]}}`.",
        "远程配置不得更改 `{name}`",
        "请在现场修改，或在现场文件中放行：`remote: {{may: [{name}]}}`。",
    ),
    "LG-REM-04": Wording(
        "a remote configuration may never change `{name}`",
        "Who we are, whose letters are obeyed and what needs a restart is changed at the site.",
        "远程配置永远不得更改 `{name}`",
        "网关身份、远程密钥以及需要重启才生效的设置只能在现场修改。",
    ),
    "LG-REM-05": Wording(
        "'{name}' would be less protected than now",
        "Class, level, `keep` and `retain` of a point, and the place of a device, are loosened at "
        "the site, or with `remote: {{may: [privacy]}}`.",
        "'{name}' 的保护级别将低于现在",
        "点位的个人信息类别、数据级别、`keep`、`retain` 以及设备的位置只能在现场放宽，"
        "或通过 `remote: {{may: [privacy]}}` 放行。",
    ),
    "LG-REM-06": Wording(
        "a file of this machine, which is no part of the configuration, has the error {code}",
        "Its text is not told from afar: run `linli check` at the site.",
        "本机上不属于该配置的文件有错误 {code}",
        "其内容不会远程告知：请在现场运行 `linli check`。",
    ),
}
