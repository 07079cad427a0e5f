"""Texts about the files themselves: YAML, CSV, versions, secrets, values."""
# ruff: noqa: E501 - Chinese punctuation is meant, and counts two columns

from __future__ import annotations

from collections.abc import Mapping

from gateway.settings.wording import Wording

TEXTS: Mapping[str, Wording] = {
    "LG-YAML-01": Wording(
        "this is not YAML: {what}",
        "Look at this line and the one before: indentation, colon and space, quotes, brackets.",
        "不是合法的 YAML：{what}",
        "请检查本行和上一行：缩进、冒号后的空格、引号、括号。",
    ),
    "LG-YAML-02": Wording(
        "a tab stands where YAML wants spaces",
        "Indent with spaces.",
        "缩进处使用了制表符",
        "请用空格缩进。",
    ),
    "LG-YAML-03": Wording(
        "the key '{key}' stands here a second time, first in line {first}",
        "Keep one of them.",
        "键 '{key}' 重复，第一次出现在第 {first} 行",
        "请只保留一个。",
    ),
    "LG-YAML-04": Wording(
        "the tag {tag} is not allowed",
        "Remove it; write the value in quotes, and secrets as {{credential: name}}.",
        "不允许使用标签 {tag}",
        "请删除它；值用引号写，密钥写成 {{credential: 名称}}。",
    ),
    "LG-YAML-05": Wording(
        "more than {limit} aliases (*name)",
        "Write `each:`, `defaults:` or a profile instead of aliases.",
        "别名（*名称）超过 {limit} 个",
        "请改用 `each:`、`defaults:` 或设备模板。",
    ),
    "LG-YAML-06": Wording(
        "nested deeper than {limit} levels",
        "Make it flatter; a settings file needs six levels.",
        "嵌套超过 {limit} 层",
        "请减少层级；配置文件六层就够了。",
    ),
    "LG-YAML-07": Wording(
        "the file is larger than {limit} bytes",
        "Split it into conf.d/*.yaml, or list devices in a CSV file.",
        "文件大于 {limit} 字节",
        "请拆分到 conf.d/*.yaml，或用 CSV 文件列出设备。",
    ),
    "LG-YAML-08": Wording(
        "{found} is not a finite number",
        "Write a number, or leave the key out.",
        "{found} 不是有限的数",
        "请写一个数字，或删除该键。",
    ),
    "LG-YAML-09": Wording(
        "a number of {digits} characters is too long",
        "Put it in quotes if it is a text such as a serial number.",
        "数字长达 {digits} 个字符",
        "如果是编号之类的文本，请加引号。",
    ),
    "LG-YAML-10": Wording(
        "the file is UTF-16",
        "Save it as UTF-8.",
        "文件是 UTF-16 编码",
        "请另存为 UTF-8。",
    ),
    "LG-YAML-11": Wording(
        "the file is not UTF-8; it looks like GBK",
        "Save it as UTF-8.",
        "文件不是 UTF-8，看起来是 GBK",
        "请另存为 UTF-8。",
    ),
    "LG-YAML-12": Wording(
        "the file is not UTF-8 text",
        "Save it as UTF-8.",
        "文件不是 UTF-8 文本",
        "请另存为 UTF-8。",
    ),
    "LG-YAML-13": Wording(
        "a character that cannot be seen stands here ({char})",
        "Delete it and type the place anew.",
        "此处有不可见字符（{char}）",
        "请删除它并重新输入此处。",
    ),
    "LG-YAML-14": Wording(
        "a character that changes the direction of writing stands here ({char})",
        "Delete it: it shows the line in another order than the program reads it.",
        "此处有改变书写方向的字符（{char}）",
        "请删除它：它会使显示顺序与程序读取的顺序不同。",
    ),
    "LG-YAML-15": Wording(
        "a space that YAML does not know stands here ({char})",
        "Type an ordinary space, or put the text in double quotes.",
        "此处有 YAML 不认识的空格（{char}）",
        "请输入普通空格，或把文本放在英文双引号里。",
    ),
    "LG-YAML-16": Wording(
        "full-width punctuation stands here ({char})",
        "Type the ASCII character; if it belongs to a text, put the text in double quotes.",
        "此处有全角标点（{char}）",
        "请用英文半角输入；若属于文本内容，请把文本放在英文双引号里。",
    ),
    "LG-YAML-17": Wording(
        "a key must be one plain text",
        "Write `key: value`.",
        "键必须是单个文本",
        "请写成 `键: 值`。",
    ),
    "LG-YAML-18": Wording(
        "the key '{key}' has no value",
        "Write a value behind the colon, or remove the key.",
        "键 '{key}' 没有值",
        "请在冒号后写值，或删除该键。",
    ),
    "LG-YAML-19": Wording(
        "a second document begins here",
        "One file, one document: use conf.d/*.yaml.",
        "此处开始了第二个文档",
        "一个文件只放一个文档：请用 conf.d/*.yaml。",
    ),
    "LG-YAML-20": Wording(
        "the file holds nothing",
        "Begin with `version: 1`.",
        "文件没有内容",
        "请以 `version: 1` 开头。",
    ),
    "LG-YAML-21": Wording(
        "merge keys (<<) are not part of YAML 1.2",
        "Write `defaults:` or `each:` instead.",
        "合并键（<<）不属于 YAML 1.2",
        "请改用 `defaults:` 或 `each:`。",
    ),
    "LG-YAML-22": Wording(
        "the alias *{name} names nothing that is complete before it",
        "Define &{name} before, and not around itself.",
        "别名 *{name} 之前没有完整的定义",
        "请先定义 &{name}，且不能引用自身。",
    ),
    "LG-YAML-23": Wording(
        "more than {limit} values in one file",
        "Use `each:` or a CSV file for many devices alike.",
        "一个文件中的值超过 {limit} 个",
        "许多相同的设备请用 `each:` 或 CSV 文件。",
    ),
    "LG-YAML-24": Wording(
        "the file cannot be read: {why}",
        "Check the path and the permissions.",
        "无法读取文件：{why}",
        "请检查路径和权限。",
    ),
    "LG-VER-01": Wording(
        "version {found} is unknown; this program reads version {known}",
        "Write `version: {known}`, or update the program if the file is newer.",
        "未知的版本 {found}；本程序读取版本 {known}",
        "请写 `version: {known}`；若文件更新，请升级程序。",
    ),
    "LG-KEY-01": Wording("unknown key '{key}'", "{advice}", "未知的键 '{key}'", "{advice}"),
    "LG-KEY-02": Wording(
        "the key '{key}' is missing",
        "Add `{key}:`.",
        "缺少键 '{key}'",
        "请添加 `{key}:`。",
    ),
    "LG-VAL-01": Wording(
        "expected {expected}, found {found}",
        "Write {expected}.",
        "应为{expected}，实际为 {found}",
        "请写{expected}。",
    ),
    "LG-VAL-02": Wording(
        "expected text, found {found}",
        "Put it in quotes, so that it is kept as written.",
        "应为文本，实际为 {found}",
        "请加引号，以便按原样保留。",
    ),
    "LG-VAL-03": Wording(
        "{found} is out of range: {limit}",
        "Write a value within the range.",
        "{found} 超出范围：{limit}",
        "请写范围内的值。",
    ),
    "LG-VAL-04": Wording(
        "{found} is not one of the choices", "{advice}", "{found} 不是可选值", "{advice}"
    ),
    "LG-VAL-05": Wording(
        "{found} has a wrong length or form: {limit}",
        "Write it in that form.",
        "{found} 的长度或格式不对：{limit}",
        "请按该格式书写。",
    ),
    "LG-VAL-06": Wording(
        "{found} cannot be an id",
        "Use 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit.",
        "{found} 不能作为标识",
        "请用 1 到 32 个 a-z、0-9、_、-，以字母或数字开头。",
    ),
    "LG-VAL-07": Wording(
        "{found} is not a duration",
        "Write a number with its unit, such as 5ms, 30s, 15m or 1h.",
        "{found} 不是时长",
        "请写带单位的数字，如 5ms、30s、15m、1h。",
    ),
    "LG-VAL-08": Wording(
        "{found} is not a size",
        "Write a number with its unit, such as 256MB.",
        "{found} 不是容量",
        "请写带单位的数字，如 256MB。",
    ),
    "LG-VAL-09": Wording("{what}", "Correct the value.", "{what}", "请改正该值。"),
    "LG-VAL-10": Wording(
        "{found} is not a range of whole numbers",
        "Write it as 1..8, or as a list such as [1, 2, 5].",
        "{found} 不是整数范围",
        "请写成 1..8，或列表 [1, 2, 5]。",
    ),
    "LG-VAL-11": Wording(
        "exactly one of {keys} is wanted",
        "Keep one of them.",
        "{keys} 中必须恰好有一个",
        "请只保留一个。",
    ),
    "LG-VAL-12": Wording(
        "{found} is not a row of hexadecimal bytes",
        "Write two digits a byte, such as 01 03 00 00.",
        "{found} 不是十六进制字节",
        "每个字节写两位，如 01 03 00 00。",
    ),
    "LG-VAL-13": Wording(
        "{found} does not divide a day",
        "Write a time such as 1m, 15m or 1h.",
        "{found} 不能整除一天",
        "请写 1m、15m、1h 之类的时间。",
    ),
    "LG-VAL-14": Wording(
        "{found} cannot be the root of topics",
        "Use ASCII letters, digits, - and _, parts joined by /, without + # and $.",
        "{found} 不能作为主题根",
        "请用字母、数字、-、_，以 / 分隔，不含 + # $。",
    ),
    "LG-VAL-15": Wording(
        "{found} is not a dead-band",
        "Write a number, a percentage such as 1%, or {{abs: 0.1, percent: 1, heartbeat: 15m}}.",
        "{found} 不是死区",
        "请写数字、百分比（如 1%）或 {{abs: 0.1, percent: 1, heartbeat: 15m}}。",
    ),
    "LG-VAL-16": Wording(
        "{found} does not say after how many polls",
        "Write it as 3 polls.",
        "{found} 没有说明多少次轮询",
        "请写成 3 polls。",
    ),
    "LG-VAL-17": Wording(
        "the lower limit {low} is above the upper limit {high}",
        "Write the lower limit first.",
        "下限 {low} 大于上限 {high}",
        "请先写下限。",
    ),
    "LG-TPL-01": Wording(
        "the template {found} is wrong: {what}",
        "Within {{ }} write whole numbers, names, + - * and parentheses, as in {{n:02}} or {{n-1}}.",
        "模板 {found} 有误：{what}",
        "{{ }} 内只能写整数、名称、+ - * 和括号，如 {{n:02}}、{{n-1}}。",
    ),
    "LG-TPL-02": Wording(
        "the template {found} uses the unknown name '{name}'",
        "{advice}",
        "模板 {found} 使用了未知名称 '{name}'",
        "{advice}",
    ),
    "LG-SEC-01": Wording(
        "a secret stands in the file",
        "Name it instead: {{credential: name}}, {{env: NAME}} or {{file: path}}; "
        "and change the secret, it was readable.",
        "密钥直接写在了文件里",
        "请改为引用：{{credential: 名称}}、{{env: 变量}} 或 {{file: 路径}}；并更换该密钥，它已泄露。",
    ),
    "LG-SEC-02": Wording(
        "the address holds a user name or password",
        "Write `credentials: {{credential: name}}` beside `url:` instead.",
        "地址中含有用户名或密码",
        "请在 `url:` 旁写 `credentials: {{credential: 名称}}`。",
    ),
    "LG-SEC-03": Wording(
        "the secret {name} cannot be read: {why}",
        "Check LoadCredential= of the service, the variable, or the path.",
        "无法读取密钥 {name}：{why}",
        "请检查服务的 LoadCredential=、环境变量或路径。",
    ),
    "LG-SEC-04": Wording(
        "the secret file {name} is open to others (mode {mode})",
        "Run chmod 0600 on it.",
        "密钥文件 {name} 对他人可读（权限 {mode}）",
        "请对它执行 chmod 0600。",
    ),
    "LG-SEC-05": Wording(
        "{found} cannot name a secret",
        "Use letters, digits, . _ and -; a path only with `file:`.",
        "{found} 不能作为密钥名称",
        "请用字母、数字、. _ -；路径只能写在 `file:` 中。",
    ),
    "LG-CSV-01": Wording(
        "the table has no header line with an 'id' column",
        "Write the names of the columns first, such as id,address,title,location.room.",
        "表格没有包含 'id' 列的表头",
        "请先写列名，如 id,address,title,location.room。",
    ),
    "LG-CSV-02": Wording("unknown column '{key}'", "{advice}", "未知的列 '{key}'", "{advice}"),
    "LG-CSV-03": Wording(
        "the row has {found} cells, the header {expected}",
        "Give each row as many cells as the header has.",
        "本行有 {found} 格，表头有 {expected} 格",
        "请使每行的格数与表头一致。",
    ),
    "LG-CSV-04": Wording(
        "{found} was rounded by a spreadsheet program",
        "Format the column as text and enter the number again.",
        "{found} 被表格软件取整了",
        "请把该列设为文本格式并重新输入。",
    ),
    "LG-CSV-05": Wording(
        "the table cannot be read: {why}",
        "Save it as CSV with commas, in UTF-8.",
        "无法读取表格：{why}",
        "请另存为 UTF-8、逗号分隔的 CSV。",
    ),
}
