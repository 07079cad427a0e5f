"""Framings with a public source, by name; profiles may name them instead of declaring them anew."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from drivers.declared.declaration import Declaration, declare

_BAY = declare(
    "bay-detector-485",
    {
        # Public code of one site, after a Chinese maker's page on the bus between controller and
        # detector: 00 address operation start count [values] CRC, one byte a register.
        "address": "addr",
        "checksum": {"kind": "crc16-modbus"},
        "requests": {
            "read": "00 <addr:1> 00 <start:1> <count:1> <sum>",
            "write": "00 <addr:1> 01 <start:1> <count:1> <value:1> <sum>",
        },
        "replies": {
            "read": "00 <addr:1> 80 <start:1> 01 <value:1> <sum>",
            "write": "00 <addr:1> 81 <start:1> <count:1> <value:1> <sum>",
        },
    },
)
_M77R = declare(
    "m77r-line",
    {
        # http://m.lyxsdst.com/syjh/showbus8276371.html, part 3. The rule of the check value is the
        # page's text; the 23 of its example agrees with no reading of that rule.
        "form": "line",
        "request_end": "none",
        "address": ["host", "channel", "detector"],
        "checksum": {"kind": "sum8", "from": 1, "omit": 1},
        "requests": {"query": "#<detector:3>,*"},
        "replies": {
            "state": "$<host:3>,<channel:2>,<detector:2>,<status:1>,<battery:1>,"
            "<threshold:3>,<delay:3>*<sum>"
        },
    },
)
_SUNPN = declare(
    "sunpn-led",
    {
        # http://m.zhiliandun.com/index.php/proview-133-10.html. Its format line gives the answer
        # as 3A info sum 0A, its example as below: the example is followed.
        "checksum": {"kind": "sum8"},
        "requests": {"show": "3A <colour:1> <count:2le> 01 <sum> 0A"},
        "replies": {"show": "2A <colour:1> <count:2le> 01 <sum> 0A"},
    },
)
_UHPPOTE = declare(
    "uhppote",
    {
        # uhppoted/uhppote-core: messages/get_status.go, open_door.go and their tests.
        "form": "datagram",
        "address": "serial",
        "broadcast": [0],
        "requests": {
            "status": "17 20 00 00 <serial:4le> 00*56",
            "open": "17 40 00 00 <serial:4le> <door:1> 00*55",
        },
        "replies": {
            "status": "17 20 ?? ?? <serial:4le> <event_index:4le> <event_type:1> <granted:1> "
            "<door:1> <direction:1> <card:4le!> <event_time:7digits> <reason:1> "
            "<door_1:1> <door_2:1> <door_3:1> <door_4:1> "
            "<button_1:1> <button_2:1> <button_3:1> <button_4:1> <error:1> "
            "<clock_time:3digits> <sequence:4le> ??*4 <special:1> <relays:1> <inputs:1> "
            "<clock_date:3digits> ??*10",
            "open": "17 40 ?? ?? <serial:4le> 01 ??*55",
        },
        "refusals": {"open": "17 40 ?? ?? <serial:4le> 00 ??*55"},
    },
)

KNOWN: Mapping[str, Declaration] = MappingProxyType(
    {one.name: one for one in (_BAY, _M77R, _SUNPN, _UHPPOTE)}
)
